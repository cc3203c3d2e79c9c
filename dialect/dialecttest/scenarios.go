package dialecttest

import (
	"strings"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/llm"
)

// Scenario is one canonical exchange, or half of one: Request or Response may be nil.
type Scenario struct {
	Name     string
	Request  *llm.Request
	Facts    llm.ModelFacts // of the model the request goes to
	Response *llm.Response
}

// Scenarios returns the canonical exchanges, newly made on each call. Every feature of llm is used by one of them.
func Scenarios() []Scenario {
	return slicesOf(basics(), media(), tools(), thinking(), formats(), sampling(), vendors(), endings())
}

func slicesOf(groups ...[]Scenario) []Scenario {
	var all []Scenario
	for _, g := range groups {
		all = append(all, g...)
	}
	return all
}

// signer is the dialect whose signatures the thinking scenarios carry.
const signer = string(dialect.AnthropicMessages)

// Tiny but genuine files, so that a dialect which looks at the first bytes finds what the type says.
const (
	png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
	pdf = "JVBERi0xLjQKJcOkw7zDtsOfCjEgMCBvYmoKPDwvVHlwZS9DYXRhbG9nPj4KZW5kb2JqCnRyYWlsZXI8PC9Sb290IDEgMCBSPj4KJSVFT0YK"
	wav = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA="
)

const weatherSchema = `{"type":"object","properties":{"city":{"type":"string","description":"City name"},` +
	`"unit":{"type":"string","enum":["c","f"]}},"required":["city"],"additionalProperties":false}`

func ptr[T any](v T) *T { return &v }

func msg(role llm.Role, parts ...llm.Part) llm.Message { return llm.Message{Role: role, Parts: parts} }

func system(s string) llm.Message { return msg(llm.RoleSystem, llm.Text(s)) }

func user(s string) llm.Message { return msg(llm.RoleUser, llm.Text(s)) }

func assistant(s string) llm.Message { return msg(llm.RoleAssistant, llm.Text(s)) }

func call(id, name, args string) llm.Part {
	return llm.Part{Kind: llm.PartToolCall, Call: &llm.ToolCall{ID: id, Name: name, Args: args}}
}

func result(id string, parts ...llm.Part) llm.Part {
	return llm.Part{Kind: llm.PartToolResult, Result: &llm.ToolResult{CallID: id, Parts: parts}}
}

func failed(id, text string) llm.Part {
	p := result(id, llm.Text(text))
	p.Result.Error = true
	return p
}

func image(m llm.Media) llm.Part { return llm.Part{Kind: llm.PartImage, Media: &m} }

func refusal(s string) llm.Part { return llm.Part{Kind: llm.PartRefusal, Text: s} }

func weather() llm.Tool {
	return llm.Tool{Name: "get_weather", Description: "Current weather of a city", Schema: []byte(weatherSchema)}
}

// ask is a request with a limit and one question, as changed by edits.
func ask(question string, edits ...func(*llm.Request)) *llm.Request {
	r := &llm.Request{Model: model, MaxTokens: ptr(int64(1024)), Messages: []llm.Message{user(question)}}
	for _, edit := range edits {
		edit(r)
	}
	return r
}

// answer is a response of one choice.
func answer(reason llm.StopReason, parts ...llm.Part) *llm.Response {
	return &llm.Response{
		ID: "resp_1", Model: "model-x-2026", Created: 1767225600,
		Choices: []llm.Choice{{Parts: parts, Stop: llm.Stop{Reason: reason}}},
		Usage:   llm.Usage{Known: true, InFresh: 21, OutVisible: 9},
	}
}

func basics() []Scenario {
	named := ask("And what do you think?")
	named.Messages[0].Name = "ada"
	marked := ask("Summarise it.")
	marked.Messages = []llm.Message{
		msg(llm.RoleSystem, llm.Part{Kind: llm.PartText, Text: "A long handbook.", Cache: &llm.CacheMark{TTL: "1h"}}),
		msg(llm.RoleUser, llm.Part{Kind: llm.PartText, Text: "Summarise it.", Cache: &llm.CacheMark{}}),
	}
	return []Scenario{
		{
			Name: "text",
			Request: ask("Is it warm in Oslo?", func(r *llm.Request) {
				r.Messages = append([]llm.Message{system("Answer in one sentence.")}, r.Messages...)
				r.Temperature, r.Stop, r.User = ptr(0.2), []string{"END", "\n\n"}, "user-7"
			}),
			Response: answer(llm.StopEnd, llm.Text("Not in November: \u22122 \u00b0C, \"brr\" \U0001F976 \u2028 \\n <&>.")),
		},
		{Name: "streaming", Request: ask("Go on.", func(r *llm.Request) { r.Stream, r.StreamUsage = true, true })},
		{Name: "no-limit", Request: ask("Tell me everything.", func(r *llm.Request) { r.MaxTokens = nil }), Facts: llm.ModelFacts{MaxOutput: 64000}},
		{
			Name: "system-and-developer",
			Request: ask("Hello?", func(r *llm.Request) {
				r.Messages = []llm.Message{
					system("You are a clerk."), msg(llm.RoleDeveloper, llm.Text("Be brief.")),
					user("Hello"), assistant("Good day."), user("Which day?"), user("I mean today."),
				}
			}),
		},
		{
			Name: "system-later",
			Request: ask("Hello?", func(r *llm.Request) {
				r.Messages = []llm.Message{user("Hello"), assistant("Good day."), system("Speak French."), user("Which day?")}
			}),
		},
		{Name: "message-name", Request: named},
		{
			Name: "prefill",
			Request: ask("Write a haiku.", func(r *llm.Request) {
				r.Messages = append(r.Messages, assistant("Autumn moonlight"))
			}),
			Facts: llm.ModelFacts{Prefill: true},
		},
		{Name: "cache-marks", Request: marked},
		{Name: "cache-whole", Request: ask("Again.", func(r *llm.Request) { r.Cache = &llm.CacheMark{} })},
		{Name: "tier", Request: ask("Quick.", func(r *llm.Request) { r.Tier = "auto" })},
		{Name: "labels", Request: ask("Note it.", func(r *llm.Request) {
			r.Metadata, r.CacheKey = []llm.Label{{Key: "team", Value: "night watch"}, {Key: "trace", Value: ""}}, "watch-7"
		})},
		{Name: "long-stream", Response: answer(llm.StopEnd, llm.Text(strings.Repeat("The quick brown fox \U0001F98A jumps; \u72d0\u72f8\u8df3\u3002 ", 12)))},
	}
}

func media() []Scenario {
	withParts := func(parts ...llm.Part) *llm.Request {
		return ask("", func(r *llm.Request) { r.Messages = []llm.Message{msg(llm.RoleUser, parts...)} })
	}
	file := llm.Part{Kind: llm.PartDocument, Media: &llm.Media{Type: "application/pdf", Data: pdf}, Document: &llm.Document{Name: "report.pdf"}}
	byURL := llm.Part{Kind: llm.PartDocument, Media: &llm.Media{Type: "application/pdf", URL: "https://files.example/report.pdf"}, Document: &llm.Document{Name: "report.pdf"}}
	note := llm.Part{Kind: llm.PartDocument, Document: &llm.Document{
		Name: "Note", Context: "Written by the night watch.", Text: "The lamp was out at two.", Citations: ptr(true),
	}}
	return []Scenario{
		{
			Name: "images",
			Request: withParts(llm.Text("Compare these."), image(llm.Media{Type: "image/png", Data: png}),
				image(llm.Media{URL: "https://images.example/cat.png"}), llm.Text("Which is larger?")),
			Response: answer(llm.StopEnd, llm.Text("The second.")),
		},
		{Name: "image-detail", Request: withParts(llm.Text("Read it."), image(llm.Media{URL: "https://images.example/cat.png", Detail: "low"}))},
		{Name: "pdf", Request: withParts(llm.Text("What does it say?"), file)},
		{Name: "document-url", Request: withParts(llm.Text("What does it say?"), byURL)},
		{Name: "document-text", Request: withParts(note, llm.Text("When did the lamp go out?"))},
		{Name: "audio", Request: withParts(llm.Text("Transcribe."), llm.Part{Kind: llm.PartAudio, Media: &llm.Media{Type: "audio/wav", Data: wav}})},
		{Name: "file-id", Request: withParts(llm.Text("Look."), image(llm.Media{FileID: "file-1", Issuer: "stranger"}))},
	}
}

func tools() []Scenario {
	history := func(results ...llm.Part) func(*llm.Request) {
		return func(r *llm.Request) {
			r.Tools = []llm.Tool{weather()}
			r.Messages = []llm.Message{
				user("Is it warmer in Oslo or in Bergen?"),
				msg(llm.RoleAssistant, llm.Text("I will look up both."),
					call("toolu_a1", "get_weather", `{"city":"Oslo","unit":"c","station":1234567890123456789}`),
					call("toolu_b2", "get_weather", `{"city":"Bergen <&> \u2028"}`)),
				msg(llm.RoleTool, results...),
				user("Go on."),
			}
		}
	}
	choose := func(mode llm.ChoiceMode, names ...string) *llm.Request {
		return ask("Weather in Oslo?", func(r *llm.Request) {
			r.Tools = []llm.Tool{weather(), {Name: "get_time", Schema: []byte(`{"type":"object","properties":{}}`)}}
			r.ToolChoice = llm.ToolChoice{Mode: mode, Names: names}
		})
	}
	picture := image(llm.Media{Type: "image/png", Data: png})
	document := llm.Part{Kind: llm.PartDocument, Media: &llm.Media{Type: "application/pdf", Data: pdf}, Document: &llm.Document{Name: "report.pdf"}}
	return []Scenario{
		{
			Name:    "tools",
			Request: ask("", history(result("toolu_b2", llm.Text("7")), result("toolu_a1", llm.Text(`{"temp":3}`)))),
			Response: answer(llm.StopToolCalls, llm.Text("Once more."), call("toolu_c3", "get_weather", `{"city":"Bergen","unit":"c"}`),
				call("toolu_d4", "get_weather", `{"city":"Oslo \ud83e\udd76"}`)),
		},
		{Name: "tool-error", Request: ask("", history(result("toolu_a1", llm.Text("3")), failed("toolu_b2", "service unavailable")))},
		{Name: "tool-result-empty", Request: ask("", history(result("toolu_a1"), result("toolu_b2", llm.Text("7"), llm.Text("8"))))},
		{Name: "tool-result-image", Request: ask("", history(result("toolu_a1", llm.Text("A photo:"), picture), result("toolu_b2", llm.Text("7"))))},
		{Name: "tool-result-document", Request: ask("", history(result("toolu_a1", document), result("toolu_b2", llm.Text("7"))))},
		{
			Name: "tool-without-arguments",
			Request: ask("What time is it?", func(r *llm.Request) {
				r.Tools = []llm.Tool{{Name: "get_time", Description: "Now", Schema: []byte(`{"type":"object","properties":{}}`)}}
				r.Messages = append(r.Messages, msg(llm.RoleAssistant, call("toolu_a1", "get_time", "{}")), msg(llm.RoleTool, result("toolu_a1", llm.Text("noon"))))
			}),
			Response: answer(llm.StopToolCalls, call("toolu_b2", "get_time", "{}")),
		},
		{Name: "tool-choice-none", Request: choose(llm.ChoiceNone)},
		{Name: "tool-choice-required", Request: choose(llm.ChoiceRequired)},
		{Name: "tool-choice-named", Request: choose(llm.ChoiceNamed, "get_weather")},
		{Name: "tool-choice-allowed", Request: choose(llm.ChoiceAuto, "get_time")},
		{Name: "tool-one-at-a-time", Request: ask("Weather?", func(r *llm.Request) {
			r.Tools, r.ParallelCalls = []llm.Tool{weather()}, ptr(false)
		})},
		{Name: "tool-strict", Request: ask("Weather?", func(r *llm.Request) {
			tool := weather()
			tool.Strict = ptr(true)
			r.Tools = []llm.Tool{tool}
		})},
		{Name: "tool-cut-arguments", Response: answer(llm.StopLength, call("toolu_a1", "get_weather", `{"city":"Os`))},
		{Name: "tool-bad-arguments", Response: answer(llm.StopToolCalls, call("toolu_a1", "get_weather", `{'city': None}`))},
	}
}

func thinking() []Scenario {
	thought := func(text, signature string) llm.Part {
		return llm.Part{Kind: llm.PartThinking, Text: text, Thinking: &llm.Thinking{Issuer: signer, Signature: signature}}
	}
	sealed := llm.Part{Kind: llm.PartThinking, Thinking: &llm.Thinking{Issuer: signer, Sealed: "c2VhbGVk"}}
	reason := func(c llm.ThinkingControl, r llm.Reasoning) (*llm.Request, llm.ModelFacts) {
		return ask("Prove it.", func(q *llm.Request) {
			q.MaxTokens, q.Reasoning = ptr(int64(20000)), &r
		}), llm.ModelFacts{Thinking: c}
	}
	loop := ask("", func(r *llm.Request) {
		r.Tools = []llm.Tool{weather()}
		r.Messages = []llm.Message{
			user("Is it warm in Oslo?"),
			msg(llm.RoleAssistant, thought("I should look.", "c2lnbmF0dXJl"), sealed, llm.Text("Let me see."), call("toolu_a1", "get_weather", `{"city":"Oslo"}`)),
			msg(llm.RoleTool, result("toolu_a1", llm.Text("3"))),
		}
	})
	var list []Scenario
	add := func(name string, c llm.ThinkingControl, r llm.Reasoning) {
		request, facts := reason(c, r)
		list = append(list, Scenario{Name: name, Request: request, Facts: facts})
	}
	add("reasoning-effort", llm.ThinkingUnknown, llm.Reasoning{Effort: "high"})
	add("reasoning-adaptive", llm.ThinkingAdaptive, llm.Reasoning{Mode: llm.ReasoningAdaptive, Effort: "medium"})
	add("reasoning-display", llm.ThinkingAdaptive, llm.Reasoning{Mode: llm.ReasoningAdaptive, Display: "omitted"})
	add("reasoning-budget", llm.ThinkingBudget, llm.Reasoning{Mode: llm.ReasoningBudget, Budget: 8192})
	add("reasoning-off", llm.ThinkingUnknown, llm.Reasoning{Mode: llm.ReasoningOff})
	return append(list,
		Scenario{Name: "thinking-history", Request: loop},
		Scenario{Name: "thinking", Response: answer(llm.StopToolCalls, thought("Two cities; look both up.", "c2lnbmVk"), sealed,
			llm.Text("One moment."), call("toolu_a1", "get_weather", `{"city":"Oslo"}`))},
		Scenario{Name: "thinking-omitted", Response: answer(llm.StopEnd, thought("", "b25seSBhIHNpZ25hdHVyZQ=="), llm.Text("Yes."))},
	)
}

func formats() []Scenario {
	const schema = `{"type":"object","properties":{"zeta":{"type":"string"},"alpha":{"type":"integer"}},` +
		`"required":["zeta","alpha"],"additionalProperties":false}`
	format := func(f llm.Format) *llm.Request {
		return ask("Answer in JSON.", func(r *llm.Request) { r.Format = &f })
	}
	return []Scenario{
		{Name: "json-mode", Request: format(llm.Format{Kind: llm.FormatJSON}), Response: answer(llm.StopEnd, llm.Text(`{"ok":true}`))},
		{
			Name:     "json-schema",
			Request:  format(llm.Format{Kind: llm.FormatSchema, Name: "pair", Description: "A pair", Schema: []byte(schema), Strict: ptr(true)}),
			Response: answer(llm.StopEnd, llm.Text(`{"zeta":"z","alpha":1}`)),
		},
		{Name: "json-schema-loose", Request: format(llm.Format{Kind: llm.FormatSchema, Name: "pair", Schema: []byte(schema)})},
	}
}

func sampling() []Scenario {
	with := func(edit func(*llm.Request)) *llm.Request { return ask("Write a poem.", edit) }
	probabilities := answer(llm.StopEnd, llm.Text("Hi!"))
	probabilities.Choices[0].LogProbs = []llm.TokenLogProb{
		{Token: "Hi", LogProb: -0.25, Bytes: []byte("Hi"), Top: []llm.TokenLogProb{{Token: "Hi", LogProb: -0.25, Bytes: []byte("Hi")}, {Token: "Yo", LogProb: -2.5, Bytes: []byte("Yo")}}},
		{Token: "!", LogProb: -0.5, Bytes: []byte("!")},
	}
	two := answer(llm.StopEnd, llm.Text("Roses are red."))
	two.Choices = append(two.Choices, llm.Choice{Index: 1, Parts: []llm.Part{llm.Text("Violets")}, Stop: llm.Stop{Reason: llm.StopLength}})
	return []Scenario{
		{Name: "top-p", Request: with(func(r *llm.Request) { r.TopP = ptr(0.9) })},
		{Name: "top-k", Request: with(func(r *llm.Request) { r.TopK = ptr(int64(40)) })},
		{Name: "penalties", Request: with(func(r *llm.Request) { r.FrequencyPenalty, r.PresencePenalty = ptr(0.5), ptr(-1.25) })},
		{Name: "seed", Request: with(func(r *llm.Request) { r.Seed = ptr(int64(9007199254740993)) })},
		{Name: "logit-bias", Request: with(func(r *llm.Request) { r.LogitBias = []byte(`{"50256":-100}`) })},
		{Name: "verbosity", Request: with(func(r *llm.Request) { r.Verbosity = "low" })},
		{Name: "logprobs", Request: with(func(r *llm.Request) { r.LogProbs, r.TopLogProbs = true, ptr(int64(2)) }), Response: probabilities},
		{Name: "choices", Request: with(func(r *llm.Request) { r.N = 2 }), Response: two},
	}
}

// vendors are things that only one dialect knows.
func vendors() []Scenario {
	opaque := func(text string) *llm.Request {
		return ask("", func(r *llm.Request) {
			r.Messages = []llm.Message{
				user("Search for it."),
				msg(llm.RoleAssistant,
					llm.Part{Kind: llm.PartOpaque, Text: text, Opaque: &llm.Opaque{Dialect: "stranger", Type: "search", Raw: []byte(`{"type":"search"}`)}},
					llm.Text("Found.")),
				user("Where?"),
			}
		})
	}
	cited := llm.Part{Kind: llm.PartText, Text: "It opened in 1852.", Citations: []llm.Citation{
		{Kind: llm.CiteURL, Title: "Annals", URL: "https://annals.example/1852", Text: "opened in 1852"},
	}}
	return []Scenario{
		{Name: "vendor-tool", Request: ask("Search.", func(r *llm.Request) {
			r.Tools = []llm.Tool{weather(), {Name: "search", Opaque: &llm.Opaque{Dialect: "stranger", Type: "search_1", Raw: []byte(`{"type":"search_1"}`)}}}
		})},
		{Name: "vendor-part", Request: opaque("")},
		{Name: "vendor-part-in-words", Request: opaque("[searched: lighthouse]")},
		{
			Name: "citations",
			Request: ask("", func(r *llm.Request) {
				r.Messages = []llm.Message{user("When?"), msg(llm.RoleAssistant, cited), user("Sure?")}
			}),
			Response: answer(llm.StopEnd, cited),
		},
	}
}

func endings() []Scenario {
	usage := answer(llm.StopEnd, llm.Text("Cheap."))
	usage.Usage = llm.Usage{
		Known: true, InFresh: 100, InCacheRead: 2000, InCacheWrite: 300, InCache1h: 40, InAudio: 7,
		OutVisible: 50, OutReasoning: 60, OutAudio: 3, AcceptedPrediction: 2, RejectedPrediction: 1,
	}
	unknown := answer(llm.StopEnd, llm.Text("Free?"))
	unknown.Usage = llm.Usage{}
	sequence := answer(llm.StopSequence, llm.Text("One, two,"))
	sequence.Choices[0].Stop.Sequence = "three"
	refused := answer(llm.StopRefusal, refusal("I can't help with that."))
	explained := answer(llm.StopRefusal)
	explained.Choices[0].Stop.Detail = "It asks for a weapon."
	return []Scenario{
		{Name: "usage", Response: usage},
		{Name: "usage-unknown", Response: unknown},
		{Name: "stop-sequence", Response: sequence},
		{Name: "stop-length", Response: answer(llm.StopLength, llm.Text("And then the"))},
		{Name: "stop-context-full", Response: answer(llm.StopContextFull, llm.Text("And then the"))},
		{Name: "stop-content-filter", Response: answer(llm.StopContentFilter, llm.Text("First you"))},
		{Name: "stop-pause", Response: answer(llm.StopPause, llm.Text("Searching"))},
		{Name: "stop-other", Response: answer(llm.StopOther, llm.Text("Hm."))},
		{Name: "stop-empty", Response: answer(llm.StopEnd)},
		{
			Name: "refusal",
			Request: ask("", func(r *llm.Request) {
				r.Messages = []llm.Message{user("How?"), msg(llm.RoleAssistant, refusal("I can't help with that.")), user("Why not?")}
			}),
			Response: refused,
		},
		{Name: "refusal-explained", Response: explained},
	}
}
