// Package plugintest makes formatter plugins for tests: well-behaved ones and
// bad ones. A plugin is a copy of the running test binary with a Spec behind
// its end, so that each has its own digest and needs no environment.
//
// Start with Install, and call RunPlugin first in TestMain. What a running
// plugin does with a batch, the batch says: see Do.
//
// It may import the standard library, go-plugin, gRPC and proto, and is for
// tests only.
package plugintest
