package train

import (
	"bytes"
	_ "embed"
	"text/template"
)

//go:embed card.md.tmpl
var cardText string

var cardTemplate = template.Must(template.New("card").Parse(cardText))

// card returns the README.md of the model: data, licence as given, figures and recipe. result is nil while the training
// goes on.
func (r *run) card(chosen string, score Score, result *Result) []byte {
	var b bytes.Buffer
	err := cardTemplate.Execute(&b, struct {
		Recipe     Recipe
		TOML       string
		Plan       Plan
		Chosen     string
		Score      Score
		Result     *Result
		Step       int
		Sentences  int
		Validation int
	}{
		r.recipe, string(r.recipe.TOML()), r.plan(), chosen, score, result, r.state.Step, r.sets.train.Len(), r.sets.validation.Len(),
	})
	if err != nil {
		panic("train: model card: " + err.Error())
	}
	return b.Bytes()
}
