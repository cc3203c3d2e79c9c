package openaichat

import (
	"testing"

	"github.com/understudy-ai/understudy/dialect/dialecttest"
)

func TestDialect(t *testing.T) {
	t.Parallel()
	dialecttest.Run(t, New(), "testdata")
}
