package forms

import (
	"strconv"

	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// OpenAIInvalid turns an error with a path into the client's error.
func OpenAIInvalid(err error) *llm.Error { return InvalidAt(err, "Invalid value for '%s': %v.") }

// OpenAIEffort is the effort that stands for a number of tokens to think with.
func OpenAIEffort(budget int64) string {
	switch {
	case budget <= 0:
		return "none"
	case budget < 4096:
		return "low"
	case budget < 16384:
		return "medium"
	}
	return "high" // not every model has more
}

// EffortTaken is the effort that a model takes for the one that is asked for, and what that loses: nothing if
// the loss is of no feature.
func EffortTaken(taken llm.EffortSet, asked string) (string, llm.Loss) {
	effort := taken.Nearest(asked)
	loss := llm.Loss{Feature: llm.FeatureEffort, Action: llm.ActionApproximated, Severity: llm.Tuning}
	switch {
	case effort == asked:
		return effort, llm.Loss{}
	case effort == "":
		loss.Action, loss.Detail = llm.ActionDropped, "the model is not told how hard to think"
	case asked == "none":
		loss.Feature, loss.Detail = llm.FeatureThinkingOff, "the model always thinks; it is told to do it least: "+effort
	default:
		loss.Detail = asked + " became " + effort + ", the nearest that the model takes"
	}
	return effort, loss
}

// StopsTaken are the stop sequences that a model takes of those that are asked for, in a dialect that takes so many or,
// if most is 0, any number; and what that loses: nothing if the loss is of no feature.
func StopsTaken(facts llm.ModelFacts, asked []string, most int) ([]string, llm.Loss) {
	loss := llm.Loss{Feature: llm.FeatureStop, Action: llm.ActionRefused, Severity: llm.Contract}
	switch {
	case facts.NoStop && len(asked) > 0:
		loss.Detail = "the model takes no stop sequences"
		return nil, loss
	case most > 0 && len(asked) > most:
		loss.Detail = "at most " + strconv.Itoa(most) + " stop sequences"
		return asked[:most], loss
	}
	return asked, llm.Loss{}
}

// TokensOf reads the log probabilities of tokens, and of those that could have stood there.
func TokensOf(v jsontext.Value, withTop bool) ([]llm.TokenLogProb, error) {
	if v.IsNull() {
		return nil, nil
	}
	var list []llm.TokenLogProb
	err := v.Array(func(_ int, v jsontext.Value) error {
		t := llm.TokenLogProb{Token: Scalar(v.Get("token"))}
		var err error
		if t.LogProb, err = v.Get("logprob").Float(); err != nil {
			return jsontext.At("logprob", err)
		}
		if b := v.Get("bytes"); !b.IsNull() {
			err = b.Array(func(_ int, v jsontext.Value) error {
				n, err := v.Int()
				t.Bytes = append(t.Bytes, byte(n))
				return err
			})
		}
		if err == nil && withTop {
			t.Top, err = TokensOf(v.Get("top_logprobs"), false)
		}
		list = append(list, t)
		return err
	})
	return list, err
}
