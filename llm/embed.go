package llm

import "strings"

// Embed asks for vectors instead of an answer: one for each of Inputs, in their order.
type Embed struct {
	Inputs     []EmbedInput
	Dimensions *int64 // of each vector; nil for as many as the model has
	Purpose    Purpose
	Truncate   Truncate
	// Kinds are the forms of vectors that are wanted, each once; none means VectorFloat.
	Kinds []VectorKind
}

// EmbedInput is what one vector is made of: exactly one of its fields is set, though
// a Text may be empty.
type EmbedInput struct {
	Text string
	// Tokens is a JSON array of token ids as the client wrote it. They belong to one
	// tokenizer, so it is never rewritten.
	Tokens []byte
	Parts  []Part // texts and images that have one vector together
}

// Plain returns the input as one text; not if it is something else than text. Several
// texts are put on lines of their own.
func (in *EmbedInput) Plain() (text string, ok bool) {
	if in.Tokens != nil {
		return "", false
	}
	texts := []string{in.Text}
	if in.Parts != nil {
		texts = texts[:0]
	}
	for i := range in.Parts {
		if in.Parts[i].Kind != PartText {
			return "", false
		}
		texts = append(texts, in.Parts[i].Text)
	}
	return strings.Join(texts, "\n"), true
}

// Purpose is what vectors are for, where a model makes different ones.
type Purpose string

// The purposes that more than one vendor knows; empty when the client did not say.
const (
	PurposeQuery          Purpose = "query"    // to be searched with
	PurposeDocument       Purpose = "document" // to be found
	PurposeClassification Purpose = "classification"
	PurposeClustering     Purpose = "clustering"
)

// Truncate says what becomes of an input that is too long for the model.
type Truncate string

// The ways; empty is what the target does by itself.
const (
	TruncateNone  Truncate = "none"  // an error
	TruncateStart Truncate = "start" // the beginning is cut off
	TruncateEnd   Truncate = "end"
)

// VectorKind is a form of a vector.
type VectorKind string

// The kinds of vectors. Packed bits come eight to a number.
const (
	VectorFloat   VectorKind = "float"
	VectorBase64  VectorKind = "base64" // the same numbers as VectorFloat, packed
	VectorInt8    VectorKind = "int8"
	VectorUint8   VectorKind = "uint8"
	VectorBinary  VectorKind = "binary"
	VectorUbinary VectorKind = "ubinary"
)

// Vector is one vector, in one of the two ways in which vendors write them; the other
// field is nil. Neither is decoded unless the reader wants it otherwise: vectors are
// many and long, and nothing is lost of what is not touched.
type Vector struct {
	// Numbers is a JSON array of numbers as the vendor wrote it, without white space
	// around it.
	Numbers []byte
	// Packed is the numbers of 32 bits each, as IEEE 754 has them, lowest byte first.
	Packed []byte
}

// Vectors are the vectors of one kind, one for each input.
type Vectors struct {
	Kind VectorKind
	List []Vector
}

// VectorsOf returns the vectors of an answer as 32-bit floats, or nil: those of kind
// VectorFloat, or else of VectorBase64.
func (r *Response) VectorsOf() []Vector {
	for _, kind := range [...]VectorKind{VectorFloat, VectorBase64} {
		for _, v := range r.Vectors {
			if v.Kind == kind {
				return v.List
			}
		}
	}
	return nil
}

// JoinVectors makes one answer of those to the parts of a request, in their order.
// The other fields are the first's; it is false when the answers do not fit together.
func JoinVectors(answers []*Response) (*Response, bool) {
	joined := *answers[0]
	joined.Vectors = nil
	for _, v := range answers[0].Vectors {
		joined.Vectors = append(joined.Vectors, Vectors{v.Kind, v.List[:len(v.List):len(v.List)]})
	}
	for _, a := range answers[1:] {
		if len(a.Vectors) != len(joined.Vectors) {
			return nil, false
		}
		for i, v := range a.Vectors {
			if v.Kind != joined.Vectors[i].Kind {
				return nil, false
			}
			joined.Vectors[i].List = append(joined.Vectors[i].List, v.List...)
		}
		joined.Usage = joined.Usage.Plus(a.Usage)
	}
	return &joined, true
}
