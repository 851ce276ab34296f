# A configuration for "restante serve --config". Every setting has a default
# that works; flags and environment variables win over this file.

listen = "127.0.0.1:8089"

# Groups without a plugin are handed out as JSON in the default format.
queue "plain" {
  method      = "poll"
  title       = "Plain JSON"
  description = "Messages in the default format"
}
