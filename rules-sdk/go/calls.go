package saker

// LogDebug says something to whoever runs Saker, as do those below it.
func LogDebug(message string) { write(0, message) }

// LogInfo is the same, for what matters more.
func LogInfo(message string) { write(1, message) }

// LogWarn is the same, for what should not be.
func LogWarn(message string) { write(2, message) }

// LogError is the same, for what must not be.
func LogError(message string) { write(3, message) }

// Now is the time in nanoseconds since 1970, in whole milliseconds. Wants Clock.
func Now() uint64 { return now() }

// Get is what is kept under a key. Wants KV, as do Set and Forget.
func Get(key string) ([]byte, bool) { return get(key) }

// Set keeps a value in place of the one before.
func Set(key string, value []byte) error { return set(key, value) }

// Forget forgets a key.
func Forget(key string) { forget(key) }

// Add adds to a number that only grows, for whoever runs Saker. Wants Metrics, as does Gauge.
func Add(name string, by uint64) error { return add(name, by) }

// Gauge sets a number that goes up and down.
func Gauge(name string, value float64) error { return gauge(name, value) }

// Submit queues a request to a server that the settings name, and gives the number that Response
// will have. Wants HTTP.
func Submit(method, url string, headers []Header, body []byte) (uint64, error) {
	return submit(method, url, headers, body)
}
