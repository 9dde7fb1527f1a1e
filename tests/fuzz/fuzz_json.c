/*  fuzz_json - parse bytes as a line of JSON Lines, as publish and import do

    Accepted JSON must give the same bytes after printing and parsing it again; then it is
    decoded as an event.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "fuzz.h"
#include "wire/event/event_codec.h"
#include "wire/json/json.h"
#include "wire/scan.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    stele_pack_t *pack = stele_pack_new ();
    stele_refusal_t refusal = { 0 };
    if (stele_json_parse_pack ((const char *) data, size, pack, &refusal)) {
        FUZZ_HOLDS (refusal.message [0]);
        FUZZ_HOLDS (stele_pack_size (pack) == 0);
        stele_pack_destroy (&pack);
        return 0;
    }
    FUZZ_HOLDS (stele_scan_check (stele_pack_data (pack), stele_pack_size (pack), SIZE_MAX, NULL) == 0);
    char *text = stele_json_print (stele_pack_data (pack), stele_pack_size (pack), false);
    FUZZ_HOLDS (text);
    stele_pack_t *again = stele_pack_new ();
    FUZZ_HOLDS (stele_json_parse_pack (text, strlen (text), again, &refusal) == 0);
    FUZZ_HOLDS (stele_pack_size (again) == stele_pack_size (pack));
    FUZZ_HOLDS (memcmp (stele_pack_data (again), stele_pack_data (pack), stele_pack_size (pack)) == 0);

    stele_record_t *record = stele_record_new ();
    stele_refusal_t reason = { 0 };
    int rc = stele_event_decode_record (stele_pack_data (pack), stele_pack_size (pack), record, &reason);
    FUZZ_HOLDS (rc == reason.code);
    stele_record_destroy (&record);
    free (text);
    stele_pack_destroy (&again);
    stele_pack_destroy (&pack);
    return 0;
}
