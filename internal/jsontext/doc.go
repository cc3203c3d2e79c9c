// Package jsontext reads, checks, builds and edits JSON text without decoding it into Go values. A body that
// a program sent stays the bytes it sent: [Check] decides once whether the text is sound and unambiguous,
// [Value] and [Tree] find things in it, [Writer] builds new text, and [Set], [Drop], [Rename] and [Cap] change named
// places and leave every other byte alone. Nothing is reflected upon, and values alias the text they were
// found in.
//
// All functions but [Check] and [Parse] expect text that has passed one of them. On other text they never
// panic and never loop, but what they answer means nothing.
//
// The package does not map JSON to structs, knows no schema and reads no streams.
package jsontext
