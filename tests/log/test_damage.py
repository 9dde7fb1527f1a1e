# test_damage - a log that is damaged, cut, mixed or newer than its reader is refused, with the batch
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import harness
import nodes


class Damage(nodes.Case):
    def setUp(self):
        super().setUp()
        writer = self.writer()
        for _ in range(4):
            writer.ask("append 2 100")

    def change(self, statement):
        self.pair.primary.sql(statement.replace("OF_LOG", "ledger = '%s'" % self.ledger))

    def assert_read(self, last, error, upto=4):
        batches, end = self.reader().read(upto)
        self.assertEqual([batch[0] for batch in batches], list(range(1, last + 1)))
        self.assertRegex(end, error)

    def test_flipped_bit_is_found(self):
        self.change("UPDATE stele_log SET batch = set_bit(batch, 333, 1 - get_bit(batch, 333)) WHERE OF_LOG AND number = 3")
        self.assert_read(2, "^bad_ledger the hash of batch 3 of the log does not match")

    def test_changed_time_is_found(self):
        self.change("UPDATE stele_log SET time = time + 1 WHERE OF_LOG AND number = 2")
        self.assert_read(1, "^bad_ledger the hash of batch 2 ")

    def test_changed_positions_are_found(self):
        self.change("UPDATE stele_log SET last = last + 1 WHERE OF_LOG AND number = 2")
        self.assert_read(1, "^bad_ledger the hash of batch 2 ")

    def test_missing_batch_is_found(self):
        self.change("DELETE FROM stele_log WHERE OF_LOG AND number = 3")
        self.assert_read(2, "^bad_ledger batch 3 is missing in the log")

    def test_missing_end_is_found(self):
        self.change("DELETE FROM stele_log WHERE OF_LOG AND number = 4")
        self.assert_read(3, "^bad_ledger batch 4 is missing in the log")

    def test_log_without_its_beginning_needs_a_snapshot(self):
        self.change("DELETE FROM stele_log WHERE OF_LOG AND number < 3")
        self.assert_read(0, "^ledger_behind the log begins with batch 3, this node has batches up to 0: .* snapshot")

    def test_batch_of_another_ledger_is_found(self):
        self.change("DELETE FROM stele_log WHERE OF_LOG AND number = 1")
        other, self.ledger, self.log = self.ledger, "6a3c5fd5-7a0e-4c8e-8f51-%s" % self.ledger[-12:], self.log + "-other"
        self.writer().ask("append 2 100")
        self.pair.primary.sql("INSERT INTO stele_log SELECT '%s', number, first, last, epoch, time, format, hash, batch"
                              " FROM stele_log WHERE ledger = '%s'" % (other, self.ledger))
        self.ledger, self.log = other, self.log[:-len("-other")]
        self.assert_read(0, "^bad_ledger the hash of batch 1 ")

    def test_batch_of_a_later_version_stops_the_reader(self):
        self.change("UPDATE stele_log SET format = 2 WHERE OF_LOG AND number = 2")
        self.assert_read(1, "^unsupported_protocol batch 2 of the log has format 2, .* upgrade this node")


if __name__ == "__main__":
    harness.main()
