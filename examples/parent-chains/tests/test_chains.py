"""The module over events that are made up."""

import unittest

from module import Chains
from saker.testing import SECOND, Event, Run


def started(second, name, *ancestors):
    return Event(
        second * SECOND,
        {"proc.name": name, "proc.pid": 7, "proc.aname": list(ancestors)},
    )


class Learning(unittest.TestCase):
    def test_what_was_learnt_is_usual_and_what_is_new_alerts_once(self):
        run = Run(Chains, {"learn_events": "2", "learn_seconds": "10"})
        self.assertEqual(run.event(started(0, "sh", "sshd", "systemd")), [])
        self.assertEqual(run.event(started(1, "ls", "sh", "sshd")), [])
        self.assertEqual(run.event(started(20, "sh", "sshd", "systemd")), [])
        alerts = run.event(started(21, "sh", "nginx", "systemd"))
        self.assertEqual([alert.fields[0] for alert in alerts], [("chain", "sh < nginx < systemd")])
        self.assertEqual(run.event(started(22, "sh", "nginx", "systemd")), [])

    def test_both_events_and_time_must_be_over(self):
        for settings in ({"learn_events": "9", "learn_seconds": "0"},
                         {"learn_events": "0", "learn_seconds": "9"}):
            run = Run(Chains, settings)
            self.assertEqual(run.event(started(0, "a", "b")), [])
            self.assertEqual(run.event(started(1, "c", "d")), [])

    def test_a_setting_that_there_is_not_is_refused(self):
        with self.assertRaises(ValueError):
            Run(Chains, {"deep": "1"})


if __name__ == "__main__":
    unittest.main()
