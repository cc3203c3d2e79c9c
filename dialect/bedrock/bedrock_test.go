package bedrock

import (
	"testing"

	"github.com/understudy-ai/understudy/dialect/dialecttest"
)

func TestSuite(t *testing.T) {
	t.Parallel()
	dialecttest.Run(t, New(), "testdata")
}
