// Package forms has what several wire formats do alike: values of a request, names and ids that a target takes, errors
// of an answer and what of them is not shown, outlines of what is read, and what OpenAI's two APIs share: errors, names,
// log probabilities, lists of models. It knows no wire format as a whole, and decides nothing about what is lost.
package forms
