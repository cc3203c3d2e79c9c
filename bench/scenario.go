package main

import "time"

// scenario is one way through the gateway.
type scenario struct {
	name   string
	client *format // what the client speaks
	vendor *format // what the vendor behind the gateway speaks
	stream bool
	goal   float64 // CPU as a multiple of the bare proxy's; 0 if it is not measured
	// failing says that the model's lead, in the client's format, refuses every request at
	// once, so that the vendor is the understudy.
	failing bool
	// brief leaves latency and open streams out.
	brief bool
}

// Goals for CPU per request, as multiples of the bare proxy's in the same run.
const (
	goalRelay           = 1.3
	goalRelayStream     = 1.5
	goalTranslate       = 2.0
	goalTranslateStream = 2.5
)

// scenarios are all there are, in the order of the report.
func scenarios() []scenario {
	var all []scenario
	known := formats()
	openAI, anthropic := known[0], known[1]
	for _, kind := range []struct {
		name             string
		stream           bool
		relay, translate float64
	}{
		{"unary", false, goalRelay, goalTranslate},
		{"stream", true, goalRelayStream, goalTranslateStream},
	} {
		for i, f := range known {
			all = append(all, scenario{name: "relay " + kind.name + " " + f.name, client: f, vendor: f, stream: kind.stream, goal: kind.relay, brief: i > 1})
		}
		for i, f := range known[1:] {
			for _, pair := range [][2]*format{{openAI, f}, {f, openAI}} {
				name := "translate " + kind.name + " " + pair[0].name + " to " + pair[1].name
				all = append(all, scenario{name: name, client: pair[0], vendor: pair[1], stream: kind.stream, goal: kind.translate, brief: i > 0})
			}
		}
	}
	name := openAI.name + " to " + anthropic.name
	return append(all,
		scenario{name: "failover unary " + name, client: openAI, vendor: anthropic, failing: true},
		scenario{name: "failover stream " + name, client: openAI, vendor: anthropic, stream: true, failing: true})
}

func scenarioNames() []string {
	var names []string
	for _, s := range scenarios() {
		names = append(names, s.name)
	}
	return names
}

// scenarios are those that the options leave.
func (o options) scenarios() []scenario {
	var left []scenario
	for _, s := range scenarios() {
		if o.only.MatchString(s.name) {
			left = append(left, s)
		}
	}
	return left
}

// share divides a time among those of the scenarios that are measured so.
func (o options) share(of float64, measured func(scenario) bool) time.Duration {
	n := 0
	for _, s := range o.scenarios() {
		if measured(s) {
			n++
		}
	}
	return time.Duration(of * float64(o.duration) / float64(max(1, n)))
}

func (s scenario) hasCPU() bool     { return s.goal > 0 }
func (s scenario) hasLatency() bool { return !s.brief }
func (s scenario) isHeld() bool     { return s.stream && !s.brief && !s.failing }

// request is what the client sends. The model decides which vendor the gateway
// asks; the vendor itself and the bare proxy answer in the client's format.
func (s scenario) request() message {
	if s.failing {
		return s.client.request("failing-over-to-"+s.vendor.name, s.stream)
	}
	return s.client.request("on-"+s.vendor.name, s.stream)
}

// held is a request for a stream that stays open.
func (s scenario) held() message { return s.client.request("held-on-"+s.vendor.name, true) }
