//go:build race

package web_test

// raced divides the size of tests by the price of the race detector.
const raced = 10
