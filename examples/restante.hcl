# A configuration for "restante serve --config". Every setting has a default
# that works; flags and environment variables win over this file.

listen = "127.0.0.1:8089"

# What a plugin declares as its settings, and how its new versions take over:
# "auto", or "approve" to wait for "restante plugins approve" where documents
# differ. "restante reload" has a change take effect.
plugin "csv" {
  swap = "auto"
  settings {
    delimiter = ","
  }
}

# Groups without a plugin are handed out as JSON in the default format.
queue "plain" {
  method      = "poll"
  title       = "Plain JSON"
  description = "Messages in the default format"
}
