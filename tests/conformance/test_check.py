#!/usr/bin/env python3
"""check.py sees what is wrong with a table: each row breaks one thing of the real one.

usage: test_check.py --bin HYAGENT"""

import sys
import unittest

import check

BINARY = sys.argv.pop() if "--bin" in sys.argv else None
if BINARY:
    sys.argv.remove("--bin")


class Table(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.docs = check.read_docs(BINARY)
        cls.extensions = check.rows_of("extensions.tsv")
        cls.component = "loki.write"
        cls.rows = [r for r in check.rows_of("table.tsv") if r["component"] == cls.component]

    def complaints(self, path, **changes):
        """What is said of the row when these of its fields are other ones (None: without the row)."""
        rows = []
        for row in self.rows:
            if row["path"] == path and changes.get("row", row) is None:
                continue
            rows.append({**row, **changes} if row["path"] == path else row)
        docs = {self.component: self.docs[self.component]}
        return [text for row, text in check.check(rows, self.extensions, docs, BINARY) if row["path"] == path]

    def test_the_table_is_right(self):
        self.assertEqual(self.complaints("endpoint.url"), [])

    def test_each_fact_is_compared(self):
        for change in ({"type": "bool"}, {"required": "yes"}, {"default": '"2s"'}):
            self.assertTrue(self.complaints("endpoint.batch_wait", **change)[0].startswith("differs"), change)

    def test_a_class_is_needed(self):
        self.assertIn("has no class", self.complaints("endpoint.url", **{"class": ""})[0])

    def test_a_test_must_be_there_and_mention_the_argument(self):
        where = {"where": "e2e:arguments_push.no_such_test"}
        self.assertIn("there is no test", self.complaints("endpoint.batch_wait", **where)[0])
        where = {"where": "e2e:arguments_relabel.loki_relabel"}
        self.assertIn("no test of", self.complaints("endpoint.batch_size", **where)[0])

    def test_what_is_accepted_is_not_refused(self):
        change = {"class": "refused", "where": "because"}
        self.assertIn("is not refused", self.complaints("endpoint.batch_wait", **change)[0])

    def test_what_has_an_effect_is_not_the_same(self):
        change = {"class": "same", "where": "because"}
        self.assertIn("does not say", self.complaints("endpoint.batch_wait", **change)[0])

    def test_an_argument_that_is_in_no_table_is_named(self):
        self.assertIn("neither in", self.complaints("endpoint.batch_wait", row=None)[0])

    def test_shares(self):
        rows = [{"class": "effect", "uses": "3"}, {"class": "refused", "uses": "1"}, {"class": "same", "uses": ""}]
        self.assertEqual(check.share(rows, "effect", True), 75.0)
        self.assertAlmostEqual(check.share(rows, "effect", False), 100 / 3)


if __name__ == "__main__":
    unittest.main()
