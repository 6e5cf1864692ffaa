package sandbox

// ChatTemplate is a chat template for small models that learn from the village: ChatML in which every message begins after a space
// and not after a line break, so that a name is one and the same token in a story, in a question and at the beginning of an answer. A
// model that must not learn to spell twice answers more questions after the same fine-tuning. The vocabulary needs ChatML's tokens.
const ChatTemplate = `{%- for message in messages %}
    {{- '<|im_start|>' + message.role + ' ' + message.content + '<|im_end|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant' }}
{%- endif %}
`
