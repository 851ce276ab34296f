# A configuration for "restante serve --config". Every setting has a default
# that works; flags and environment variables win over this file.

listen = "127.0.0.1:8089"

# What becomes of a message that a plugin can't format: "block" has its queue wait
# until you have looked at it, "hold" holds it and goes on with the rest. A queue
# block can say otherwise for its queue.
on_fault = "block"

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

# The host name of the machine that sends. Nothing leaves any other, so that a copy of
# the data never pushes.
#
# send_from = "mail1"

# Where the batches of a "send" queue go, and when: README.md and docs/endpoint.md have
# all settings.
#
# queue "webhook" {
#   method = "send"
#   endpoint {
#     schedule  = "30 6 * * mon-fri" # or on_add = "2s"
#     time_zone = "Europe/Berlin"
#     url     = "https://receiver.example/messages"
#     bearer  = file("receiver-token")
#     secrets = [file("webhook-secret")]
#   }
# }

# Where people reach the daemon, if that is not where it listens.
#
# url = "https://restante.example.edu"

# People may sign in by OpenID Connect beside those who have a password. Who has
# none of the roles gets default_role; without one they may not sign in.
#
# sign_in "oidc" {
#   title         = "Campus ID"
#   issuer        = "https://id.example.edu/realms/campus"
#   client_id     = "restante"
#   client_secret = file("oidc-secret")
#   role_claim    = "groups"
#   roles = {
#     "restante-admins" = "admin"
#     "integration"     = "operator"
#   }
#   default_role = "viewer"
# }

# What "restante errors" reports, here and in a queue's own block; "off" is for what
# nobody wants to know. These are the defaults.
alerts {
  waiting  = "24h"
  silence  = 2
  unmarked = 10
  free     = "1GiB"
}

# For how long it is known who did what.
audit = "3650d"
