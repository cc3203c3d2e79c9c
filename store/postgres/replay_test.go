package postgres

import (
	"fmt"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/store/storetest"
)

func TestReplays(t *testing.T) {
	url, schema := address(t), fmt.Sprintf("test_%d", time.Now().UnixNano())
	storetest.Replays(t, func() (gateway.Replays, func() error) {
		d, err := Open(t.Context(), url, schema)
		if err != nil {
			t.Fatal(err)
		}
		d.For("here")
		return d, d.Close
	})
}
