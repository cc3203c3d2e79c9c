package fakeprovider

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// What vendors check of what concerns the account alone: who asks, how fast, under which labels.

// served is the tier that a request is served at: the one that it asks for, the usual one, or what a marker says.
func (a Ask) served(usual string) string {
	tier := or(a.markers["tier"], a.Tier)
	if tier == "" || tier == "auto" {
		return usual
	}
	return tier
}

// account checks what both of OpenAI's APIs take.
func (o *openaiReader) account() {
	if o.lax {
		return
	}
	for _, key := range []string{"user", "safety_identifier", "prompt_cache_key"} {
		o.atMost(key, str(o.body, key), 64)
	}
	tier := str(o.body, "service_tier")
	o.ask.Tier = tier
	if tier != "" && !slices.Contains([]string{"auto", "default", "flex", "scale", "priority", "fast"}, tier) {
		o.fail("service_tier", "invalid_value", "Invalid value: '%s'. Supported values are: 'auto', 'default', 'fast', 'flex', 'priority', and 'scale'.", tier)
	}
	if !has(o.body, "metadata") {
		return
	}
	labels, ok := o.body["metadata"].(object)
	if !ok {
		o.wrongType("metadata", "an object", o.body["metadata"])
	}
	if len(labels) > 16 {
		o.fail("metadata", "object_above_max_properties", "Invalid 'metadata': too many properties. Expected an object with at most 16 properties, but got an object with %d properties instead.", len(labels))
	}
	for key, v := range labels {
		value, ok := v.(string)
		if !ok {
			o.wrongType("metadata."+key, "a string", v)
		}
		o.atMost("metadata", key, 64)
		o.atMost("metadata."+key, value, 512)
	}
}

// kept refuses labels of an answer that is not kept, which only Chat Completions does.
func (o *openaiReader) kept() {
	if has(o.body, "metadata") && o.body["store"] != true && !o.lax {
		o.fail("metadata", "", "The 'metadata' parameter is only allowed when 'store' is enabled.")
	}
}

func (o *openaiReader) atMost(param, s string, longest int) {
	if n := utf8.RuneCountInString(s); n > longest {
		o.fail(param, "string_above_max_length", "Invalid '%s': string too long. Expected a string with maximum length %d, but got a string with length %d instead.", param, longest, n)
	}
}

var phoneNumber = regexp.MustCompile(`^\+?[\d\s()-]{7,}$`)

// account checks what concerns the account at Anthropic.
func (a *anthropicReader) account() {
	if a.lax {
		return
	}
	switch user := str(obj(a.body, "metadata"), "user_id"); {
	case len(user) > 512:
		a.say("metadata.user_id", "String should have at most 512 characters")
	case strings.Contains(user, "@"):
		a.say("metadata.user_id", "user_id appears to contain an email address. Please send a uuid or hash value instead")
	case phoneNumber.MatchString(user):
		a.say("metadata.user_id", "user_id appears to contain a phone number. Please send a uuid or hash value instead")
	}
	a.ask.Speed, a.ask.Place = str(a.body, "speed"), str(a.body, "inference_geo")
	if tier := str(a.body, "service_tier"); tier != "" && tier != "auto" && tier != "standard_only" {
		a.say("service_tier", "Input should be 'auto' or 'standard_only'")
	}
}

var bedrockLabel = regexp.MustCompile(`^[a-zA-Z0-9\s:_@$#=/+,-.]*$`)

// account checks what concerns the account at Bedrock.
func (r *bedrockReader) account() {
	tier := str(obj(r.body, "serviceTier"), "type")
	r.ask.Tier = tier
	if tier != "" && !slices.Contains([]string{"priority", "default", "flex", "reserved"}, tier) {
		r.bad("Value at 'serviceTier.type' failed to satisfy constraint: Member must satisfy enum value set: [priority, default, flex, reserved]")
	}
	if !has(r.body, "requestMetadata") {
		return
	}
	labels := obj(r.body, "requestMetadata")
	if len(labels) < 1 || len(labels) > 16 {
		r.bad("Value at 'requestMetadata' failed to satisfy constraint: Member must have length between 1 and 16, inclusive")
	}
	for key, v := range labels {
		value, ok := v.(string)
		if !ok || key == "" || len(key) > 256 || len(value) > 256 || !bedrockLabel.MatchString(key) || !bedrockLabel.MatchString(value) {
			r.bad("Value at 'requestMetadata' failed to satisfy constraint: Map keys and values must satisfy regular expression pattern: [a-zA-Z0-9\\s:_@$#=/+,-.]{1,256}")
		}
	}
}

// account checks what concerns the account at Google.
func (c *geminiReader) account() {
	tier := str(c.body, "serviceTier")
	c.ask.Tier = tier
	if tier != "" && !slices.Contains([]string{"unspecified", "standard", "flex", "priority"}, tier) {
		c.bad("Invalid value at 'service_tier' (type.googleapis.com/google.ai.generativelanguage.v1beta.ServiceTier), \"%s\"", tier)
	}
}
