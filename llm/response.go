package llm

// Response is a whole answer.
type Response struct {
	ID      string
	Model   string // the model that answered, as the vendor named it
	Created int64  // Unix seconds; 0 when the dialect does not say
	Choices []Choice
	Usage   Usage
	Tier    string
	Extra   Extra

	// Vectors answer a request with Embed, one entry for each kind.
	Vectors []Vectors
	// Ranking answers a request with Rerank.
	Ranking []Ranked
	// Asked is the request that this answers, where a dialect may have to repeat something
	// of it: nil for answers with Choices.
	Asked *Request
}

// Choice is one of the answers asked for.
type Choice struct {
	Index int
	Parts []Part
	Stop  Stop
	// LogProbs is one entry a token, in order.
	LogProbs []TokenLogProb
	Extra    Extra
}

// StopReason says why the model stopped.
type StopReason string

// The stop reasons. An empty reason means the answer never ended.
const (
	StopEnd           StopReason = "stop"
	StopSequence      StopReason = "stop_sequence"
	StopLength        StopReason = "length"
	StopContextFull   StopReason = "context_full"
	StopToolCalls     StopReason = "tool_calls"
	StopContentFilter StopReason = "content_filter"
	StopRefusal       StopReason = "refusal"
	StopPause         StopReason = "pause"
	StopMalformed     StopReason = "malformed"
	StopOther         StopReason = "other"
)

// Stop is why a choice ended.
type Stop struct {
	Reason   StopReason
	Raw      string // the vendor's own word
	Sequence string // the stop sequence that was hit, where the vendor says
	Detail   string // why a refusal was given, where the vendor says
}

// TokenLogProb is a token with its probability and the likeliest others.
type TokenLogProb struct {
	Token   string
	LogProb float64
	Bytes   []byte
	Top     []TokenLogProb
}

// Usage counts tokens so that each is in exactly one field; sums are methods.
type Usage struct {
	// Known is false when the vendor told nothing: zero is then no fact.
	Known bool
	// Absurd says that it told nothing that can be true, as less than nothing is, or nothing for all. It is not Known then.
	Absurd bool
	// InUntold says that it did not tell how long the prompt was, as some leave out what they had from the turn before.
	InUntold bool

	InFresh      int64 // prompt tokens neither read from nor written to a cache
	InCacheRead  int64
	InCacheWrite int64 // written with the vendor's default lifetime, or of unknown lifetime
	InCache1h    int64 // written for an hour
	InAudio      int64 // of InFresh: audio, informative and not part of any sum
	InFree       int64 // of the prompt: what the vendor does not bill, likewise

	OutVisible   int64
	OutReasoning int64
	OutAudio     int64 // of OutVisible: audio, informative and not part of any sum
	OutFree      int64 // of OutVisible: what the vendor does not bill, likewise

	// AcceptedPrediction and RejectedPrediction are of the output, informative.
	AcceptedPrediction, RejectedPrediction int64
}

// Input is all prompt tokens.
func (u Usage) Input() int64 { return u.InFresh + u.InCacheRead + u.InCacheWrite + u.InCache1h }

// Output is all generated tokens.
func (u Usage) Output() int64 { return u.OutVisible + u.OutReasoning }

// Total is all tokens.
func (u Usage) Total() int64 { return u.Input() + u.Output() }

// IsTold reports whether the vendor told anything.
func (u Usage) IsTold() bool { return u.Known || u.Absurd }

// Hear takes over what is told later. What cannot be true does not stand in the place of what can.
func (u *Usage) Hear(later Usage) {
	if later.Known || later.Absurd && !u.Known {
		*u = later
	}
}

// Plus is the usage of two answers together.
func (u Usage) Plus(v Usage) Usage {
	return Usage{
		Known: u.Known || v.Known, Absurd: u.Absurd || v.Absurd, InUntold: u.InUntold || v.InUntold,
		InFresh: u.InFresh + v.InFresh, InCacheRead: u.InCacheRead + v.InCacheRead,
		InCacheWrite: u.InCacheWrite + v.InCacheWrite, InCache1h: u.InCache1h + v.InCache1h, InAudio: u.InAudio + v.InAudio, InFree: u.InFree + v.InFree,
		OutVisible: u.OutVisible + v.OutVisible, OutReasoning: u.OutReasoning + v.OutReasoning, OutAudio: u.OutAudio + v.OutAudio, OutFree: u.OutFree + v.OutFree,
		AcceptedPrediction: u.AcceptedPrediction + v.AcceptedPrediction,
		RejectedPrediction: u.RejectedPrediction + v.RejectedPrediction,
	}
}
