// The cloudevents plugin writes the messages of the group "cloudevents" as
// CloudEvents 1.0, in the JSON batch format
// (https://github.com/cloudevents/spec, json-format.md, section 4).
//
// The attributes of an event: id is the message's id in decimal; source is
// "/restante/groups/" and the group's name; type is "org.restante.message";
// time is when the daemon accepted the message, in UTC; datacontenttype is
// application/json; data is the message, byte for byte as it was added. Source
// and id together name a message for good, so a receiver may use them to drop
// duplicates.
//
// It is written with package sdk alone.
package main
