"""Finds chains of parents that have never been: for a while it learns which programs are started
below which, as in `systemd > sshd > bash`, and then alerts once for each chain that is new. No
rule file can say that, since it would have to list what is usual.

Settings: `learn_events` (10000) and `learn_seconds` (3600), both of which must be over before it
alerts; `depth` (3), how many ancestors make a chain.
"""

from saker import Capability, Module, Priority, Row, Rule, State, fields, kv

SECOND = 1_000_000_000
# No more chains are remembered.
CHAINS_MAX = 20_000
# What is kept for the next instance is so long at most.
KEPT_BYTES_MAX = 60_000


class Chains(Module):
    name = "parent-chains"
    condition = "evt.type in (execve, execveat) and evt.failed = false"
    rules = [
        Rule(
            "Program below unusual parents",
            Priority.WARNING,
            output="%proc.name (%proc.exepath, %proc.pid) was started below parents that it has "
            "never been started below: %proc.cmdline",
            description="A program is started by a chain of programs that never did that before.",
            tags=["mitre_execution", "T1059"],
        )
    ]
    state = State.GLOBAL
    capabilities = [Capability.KV]

    class Row(Row):
        name = fields.proc_name
        path = fields.proc_exepath
        pid = fields.proc_pid
        command = fields.proc_cmdline
        ancestors = fields.proc_aname

    def start(self, config):
        unknown = config.keys() - {"learn_events", "learn_seconds", "depth"}
        if unknown:
            raise ValueError(f"there is no setting `{min(unknown)}`")
        self.learn_events = int(config.get("learn_events", "10000"))
        self.learn_ns = int(float(config.get("learn_seconds", "3600")) * SECOND)
        self.depth = int(config.get("depth", "3"))
        self.events = 0
        self.since = None
        self.chains = set()
        kept = kv.get("chains")
        if kept:
            events, since, *chains = kept.decode().split("\n")
            self.events, self.since = int(events), int(since)
            self.chains.update(chains)

    def event(self, row, alerts):
        self.events += 1
        if self.since is None:
            self.since = row.time
        # Nearest first; what a program is called cannot have a line's end in a chain.
        names = [row.name or "?", *row.ancestors[: self.depth]]
        chain = " < ".join(name.replace("\n", "?") for name in names)
        if chain in self.chains or len(self.chains) >= CHAINS_MAX:
            return
        self.chains.add(chain)
        is_learning = (
            self.events <= self.learn_events or row.time - self.since < self.learn_ns
        )
        if not is_learning:
            alerts.alert(0).field("chain", chain).field("chains.known", len(self.chains) - 1)

    def tick(self, time, alerts):
        if self.since is None:
            return
        kept = f"{self.events}\n{self.since}\n" + "\n".join(self.chains)
        if len(kept.encode()) <= KEPT_BYTES_MAX:
            kv.set("chains", kept.encode())
