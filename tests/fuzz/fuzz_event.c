/*  fuzz_event - decode bytes as one event, and convert it back

    An accepted event must be equal after packing and decoding it, and after printing
    and parsing it as JSON.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "fuzz.h"
#include "wire/event/event_codec.h"
#include "wire/json/json.h"
#include "wire/scan.h"

static stele_record_t *
s_decode (const void *data, size_t size)
{
    stele_record_t *record = stele_record_new ();
    stele_refusal_t refusal = { 0 };
    int rc = stele_scan_check (data, size, size, NULL);
    if (rc == 0)
        rc = stele_event_decode_record (data, size, record, &refusal);
    if (rc)
        stele_record_destroy (&record);
    return record;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    stele_record_t *event = s_decode (data, size);
    if (!event)
        return 0;
    char topic [64 + STELE_LIMIT_ID];
    FUZZ_HOLDS (stele_record_topic (event, topic, sizeof topic) <= sizeof topic);

    stele_pack_t *pack = stele_pack_new ();
    stele_record_pack (event, pack);
    stele_record_t *again = s_decode (stele_pack_data (pack), stele_pack_size (pack));
    FUZZ_HOLDS (again && stele_record_equal (event, again));

    char *text = stele_json_print (stele_pack_data (pack), stele_pack_size (pack), true);
    FUZZ_HOLDS (text);
    stele_pack_t *parsed = stele_pack_new ();
    stele_refusal_t refusal = { 0 };
    FUZZ_HOLDS (stele_json_parse_pack (text, strlen (text), parsed, &refusal) == 0);
    stele_record_t *read = s_decode (stele_pack_data (parsed), stele_pack_size (parsed));
    FUZZ_HOLDS (read && stele_record_equal (event, read));

    free (text);
    stele_record_destroy (&read);
    stele_record_destroy (&again);
    stele_record_destroy (&event);
    stele_pack_destroy (&parsed);
    stele_pack_destroy (&pack);
    return 0;
}
