package gateway

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/route"
)

// TestOutrunSaysNothing: an attempt that another was faster than leaves no mark on the answer, though its vendor named
// another model.
func TestOutrunSaysNothing(t *testing.T) {
	t.Parallel()
	c := &call{g: &Gateway{opts: Options{Now: time.Now, Limits: DefaultLimits()}}}
	rec := httptest.NewRecorder()
	c.reply.init(c, rec)
	target := route.Target{Provider: &provider.Provider{ID: "slow"}, Model: "asked"}
	slow := &attempt{target: target, model: "another", other: true, race: &race{winner: &attempt{}}}
	for name, err := range map[string]*llm.Error{"whole": c.sendAnswer(slow, nil), "stream": c.commit(slow)} {
		if err == nil || err.Code != llm.CodeOutrun || slow.committed || len(rec.Header()) != 1 {
			t.Errorf("%s: got %v and header %v, want it outrun, and the call's id alone", name, err, rec.Header())
		}
	}
}
