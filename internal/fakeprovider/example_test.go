package fakeprovider_test

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/understudy-ai/understudy/internal/fakeprovider"
)

func ExampleServer_SetFault() {
	s := fakeprovider.New(fakeprovider.Options{Key: "secret"})
	base, err := s.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()

	_ = s.SetFault(&fakeprovider.Fault{Kind: "overloaded-529"})
	body := `{"model":"m","messages":[{"role":"user","content":"hi"}]}`
	req, err := http.NewRequest(http.MethodPost, base+"/chat/completions", strings.NewReader(body))
	if err != nil {
		fmt.Println(err)
		return
	}
	req.Header.Set("Authorization", "Bearer secret")
	resp, err := (&http.Client{}).Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	fmt.Println(resp.StatusCode, s.Last().Fault)
	// Output: 529 overloaded-529
}
