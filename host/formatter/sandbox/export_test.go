package sandbox

// Without returns the support as it would be if a layer could not be had.
func (s Support) Without(name LayerName, reason, remedy string) Support {
	var layers []Layer
	for _, l := range s.layers {
		if l.Name == name {
			l = Layer{Name: name, Reason: reason, Remedy: remedy}
		}
		layers = append(layers, l)
	}
	s.layers = layers
	return s
}

// WithoutUserNamespace returns the support as root has it where user namespaces
// are switched off.
func (s Support) WithoutUserNamespace() Support {
	s.userNamespace = false
	return s
}
