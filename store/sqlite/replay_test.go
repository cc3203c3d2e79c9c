package sqlite

import (
	"path/filepath"
	"testing"

	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/store/storetest"
)

func TestReplays(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.db")
	storetest.Replays(t, func() (gateway.Replays, func() error) {
		d, err := Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		return d, d.Close
	})
}
