package main

import (
	"fmt"
	"testing"

	"saker"
)

const second = 1_000_000_000

// alerts counts those of connections to so many ports, with so long between them.
func alerts(t *testing.T, run *saker.Run, pid int64, ports int, between uint64) int {
	t.Helper()
	count := 0
	for port := range ports {
		row := map[string]any{
			"proc.pid":      pid,
			"proc.name":     "nc",
			"evt.arg[addr]": fmt.Sprintf("10.0.0.1:%d", port+1),
		}
		count += len(run.Event(uint64(port)*between+second, row))
	}
	return count
}

func started(t *testing.T) *saker.Run {
	t.Helper()
	run, err := saker.NewRun(map[string]string{"targets": "5", "seconds": "10"})
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func TestManyPortsAreAScanAndToldOnce(t *testing.T) {
	if count := alerts(t, started(t), 1, 12, second/10); count != 1 {
		t.Fatalf("%d alerts", count)
	}
}

func TestThePatientAreNotSeen(t *testing.T) {
	if count := alerts(t, started(t), 1, 12, 5*second); count != 0 {
		t.Fatalf("%d alerts", count)
	}
}

func TestFewPortsOverAndOverAreNone(t *testing.T) {
	run := started(t)
	for range 5 {
		if count := alerts(t, run, 1, 4, second/10); count != 0 {
			t.Fatalf("%d alerts", count)
		}
	}
}

func TestProcessesBeyondTheBoundTakeAnothersPlace(t *testing.T) {
	run := started(t)
	for pid := range int64(processesMax + 100) {
		alerts(t, run, pid+1, 1, 0)
	}
	if len(processes) != processesMax {
		t.Fatalf("%d processes", len(processes))
	}
}

func TestASettingThatIsNoneIsRefused(t *testing.T) {
	for _, config := range []map[string]string{{"targets": "many"}, {"seconds": "0"}, {"ports": "5"}} {
		if _, err := saker.NewRun(config); err == nil {
			t.Fatalf("%v", config)
		}
	}
}
