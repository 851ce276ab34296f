// Package clustertest proves what daemons promise together: several of them run
// under load while they are killed, stopped, cut off from each other and replaced,
// and what they answered is then checked as a whole.
//
// There is nothing here but tests. Start with scenario_test.go for what is done to
// the daemons. fleet_test.go runs them, workload_test.go calls them and writes a
// history, and check_test.go and linear_test.go say what is wrong with it.
package clustertest
