package process

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	formatterv1 "github.com/restante/restante/proto/formatter/v1"
)

// Limits of the settings that a plugin declares, as in formatter.proto.
const (
	maxSettings           = 100
	maxSettingDescription = 1000
	maxDefault            = 4000
)

// Setting is a setting that a plugin declares.
type Setting struct {
	Name        string
	Type        SettingType
	Description string
	// Default is JSON of the type, or empty.
	Default          json.RawMessage
	Required, Secret bool
}

// SettingType is what the value of a setting is in JSON, in words.
type SettingType string

// The types of settings.
const (
	String SettingType = "string"
	Number SettingType = "number"
	Bool   SettingType = "bool"
)

// Check tells whether a JSON value is of the type.
func (t SettingType) Check(value json.RawMessage) error {
	var v any
	if err := json.Unmarshal(value, &v); err != nil {
		return fmt.Errorf("it is not JSON: %w", err)
	}
	ok := false
	switch t {
	case String:
		_, ok = v.(string)
	case Number:
		_, ok = v.(float64)
	case Bool:
		_, ok = v.(bool)
	}
	if !ok {
		return fmt.Errorf("it must be a %s", t)
	}
	return nil
}

// settings takes over what a plugin declares to be settings.
func settings(declared []*formatterv1.Setting) ([]Setting, error) {
	if n := len(declared); n > maxSettings {
		return nil, fmt.Errorf("it declares %d settings, at most %d are allowed", n, maxSettings)
	}
	seen := make(map[string]bool, len(declared))
	var all []Setting
	for _, from := range declared {
		s := Setting{
			Name:        from.GetName(),
			Description: paragraph(from.GetDescription(), maxSettingDescription),
			Required:    from.GetRequired(),
			Secret:      from.GetSecret(),
		}
		if !validSetting(s.Name) {
			return nil, fmt.Errorf("the setting %q is not a lower-case letter, then up to %d lower-case letters, digits and \"_\"", clip(s.Name, 2*maxName), maxName-1)
		}
		if seen[s.Name] {
			return nil, fmt.Errorf("it declares the setting %q twice", s.Name)
		}
		seen[s.Name] = true
		switch from.GetType() {
		case formatterv1.SettingType_SETTING_TYPE_STRING:
			s.Type = String
		case formatterv1.SettingType_SETTING_TYPE_NUMBER:
			s.Type = Number
		case formatterv1.SettingType_SETTING_TYPE_BOOL:
			s.Type = Bool
		default:
			return nil, fmt.Errorf("the setting %q has the type %d, which is neither string, number nor bool", s.Name, from.GetType())
		}
		if text := from.GetDefault(); text != "" {
			s.Default = json.RawMessage(text)
			if len(text) > maxDefault {
				return nil, fmt.Errorf("the default of the setting %q has %d bytes, at most %d are allowed", s.Name, len(text), maxDefault)
			}
			if err := s.Type.Check(s.Default); err != nil {
				return nil, fmt.Errorf("the default of the setting %q: %w", s.Name, err)
			}
		}
		all = append(all, s)
	}
	return all, nil
}

func validSetting(name string) bool {
	if name == "" || len(name) > maxName {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (i == 0 || c != '_' && (c < '0' || c > '9')) {
			return false
		}
	}
	return true
}

// Resolve returns the values that a plugin gets, as a JSON object in the order of
// the names: those that are given, and the defaults. It refuses what the plugin
// does not declare, unless lenient is set, and what is not of its type.
func (d Description) Resolve(given map[string]json.RawMessage, lenient bool) (string, error) {
	values := map[string]json.RawMessage{}
	var names []string
	for _, s := range d.Settings {
		names = append(names, s.Name)
		value, isGiven := given[s.Name]
		switch {
		case isGiven:
			if err := s.Type.Check(value); err != nil {
				return "", fmt.Errorf("the setting %q: %w", s.Name, err)
			}
			values[s.Name] = value
		case len(s.Default) > 0:
			values[s.Name] = s.Default
		case s.Required:
			return "", fmt.Errorf("the setting %q has no value, and it needs one", s.Name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		switch {
		case lenient, slices.Contains(names, name):
		case len(names) == 0:
			return "", fmt.Errorf("there is no setting %q: the plugin has no settings", name)
		default:
			return "", fmt.Errorf("there is no setting %q: the plugin has %s", name, strings.Join(names, ", "))
		}
	}
	text, err := json.Marshal(values)
	return string(text), err
}
