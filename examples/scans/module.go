// Alerts when a process tries many addresses and ports within a short time: it looks for open
// ones.
package main

import (
	"fmt"
	"strconv"

	"saker"
)

// No more processes are remembered; the one that was quiet the longest is forgotten for another.
const processesMax = 4096

// process is what is remembered of one.
type process struct {
	// tried has the time at which each target was tried last.
	tried map[string]uint64
	// last is when it tried anything, told when it was last alerted of.
	last, told uint64
}

var (
	targets   = uint64(20)
	within    = uint64(10_000_000_000)
	processes map[uint64]*process
)

func start(config map[string]string) error {
	targets, within, processes = 20, 10_000_000_000, map[uint64]*process{}
	for name, text := range config {
		number, err := strconv.ParseUint(text, 10, 16)
		if err != nil || number == 0 {
			return fmt.Errorf("`%s` takes a number from 1 to 65535", name)
		}
		switch name {
		case "targets":
			targets = number
		case "seconds":
			within = number * 1_000_000_000
		default:
			return fmt.Errorf("there is no setting `%s`", name)
		}
	}
	return nil
}

func event(row saker.Row, alerts *saker.Alerts) {
	// Where it was refused, only the call's argument tells whom it asked.
	target, isKnown := saker.EvtArg.Of("addr").In(row)
	pid, hasProcess := saker.ProcPid.In(row)
	if !isKnown || !hasProcess {
		return
	}
	now := row.Time()
	found := remembered(uint64(pid))
	found.last = now
	found.tried[target] = now
	if uint64(len(found.tried)) < targets {
		return
	}
	for tried, time := range found.tried {
		if time+within < now {
			delete(found.tried, tried)
		}
	}
	isOften := uint64(len(found.tried)) >= targets
	if isOften && (found.told == 0 || found.told+within < now) {
		found.told = now
		alerts.Alert(0).Unsigned("scan.targets", uint64(len(found.tried)))
	}
	// More than twice as many add nothing.
	if uint64(len(found.tried)) >= 2*targets {
		clear(found.tried)
	}
}

func remembered(pid uint64) *process {
	if found, ok := processes[pid]; ok {
		return found
	}
	if len(processes) >= processesMax {
		var quietest uint64
		since := ^uint64(0)
		for pid, process := range processes {
			if process.last < since {
				quietest, since = pid, process.last
			}
		}
		delete(processes, quietest)
	}
	found := &process{tried: map[string]uint64{}}
	processes[pid] = found
	return found
}

func init() {
	saker.Export(saker.Module{
		Name:      "scans",
		Version:   "0.1.0",
		Condition: "evt.type = connect and fd.type in (ipv4, ipv6)",
		Fields: []saker.Column{
			saker.ProcPid, saker.ProcName, saker.ProcCmdline, saker.EvtArg.Of("addr"),
		},
		Rules: []saker.Rule{{
			Name:        "Many targets tried",
			Description: "A process connected, or tried to, to many addresses and ports.",
			Priority:    saker.Warning,
			Tags:        []string{"network", "mitre_discovery", "T1046"},
			Output:      "%proc.name looks for open ports, the last tried is %evt.arg.addr | command=%proc.cmdline",
		}},
		State: saker.ProcessTree,
		Start: start,
		Event: event,
	})
}

func main() {}
