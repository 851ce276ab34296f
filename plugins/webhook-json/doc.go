// The webhook-json plugin writes the messages of the group "webhook" as one JSON
// document, which the daemon sends every minute:
//
//	{
//	  "token": "…",
//	  "messages": [
//	    {"id": 10, "time": "2019-02-15T10:32:01Z", "data": {"action": "create"}}
//	  ]
//	}
//
// A message's data is what was added, byte for byte, so numbers keep their digits.
// The headers Batch-Count, Batch-First and Batch-Last have the number of messages
// and the ids of the first and the last, for receivers that look before they read.
// The token is the same whenever the same messages are sent.
//
// It is written with package sdk alone, and is an example of FormatHTTPRequest.
package main
