package train

import (
	"bytes"
	_ "embed"
	"text/template"
)

//go:embed card.md.tmpl
var cardText string

var translationCard = template.Must(template.New("card").Parse(cardText))

// card returns the README.md of the model: data, licence as given, figures and recipe. result is nil while the training
// goes on.
func (r *run) card(chosen string, score Score, result *Result) []byte {
	var b bytes.Buffer
	plan := r.plan()
	err := r.task.card().Execute(&b, struct {
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
		r.recipe, string(r.recipe.TOML()), plan, chosen, score, result, r.state.Step, plan.TrainPairs, plan.ValidPairs,
	})
	if err != nil {
		panic("train: model card: " + err.Error())
	}
	return b.Bytes()
}
