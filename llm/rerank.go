package llm

// Rerank asks how well documents fit a query, instead of an answer.
type Rerank struct {
	Query     string
	Documents []RankInput
	// TopN is how many of the best are wanted; nil for all.
	TopN *int64
	// ReturnDocuments asks for the documents' text beside their scores.
	ReturnDocuments bool
}

// RankInput is a document to be ranked.
type RankInput struct {
	Text string
	// Raw is the document as the client wrote it, where that is more than a text.
	Raw []byte
	// More says that Raw holds something that Text does not say.
	More bool
}

// Ranked is a document's place in the answer, the best first.
type Ranked struct {
	Index int // of the request's documents, from 0
	Score float64
}

// Best returns the ranking of an answer, no longer than was asked for: some services
// rank everything.
func (r *Response) Best() []Ranked {
	if r.Asked == nil || r.Asked.Rerank == nil || r.Asked.Rerank.TopN == nil {
		return r.Ranking
	}
	return r.Ranking[:min(int64(len(r.Ranking)), max(*r.Asked.Rerank.TopN, 0))]
}
