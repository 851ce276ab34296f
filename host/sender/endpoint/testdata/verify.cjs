// Verifies a request with a library for Standard Webhooks: verify.cjs FOLDER. The
// request and the secrets are JSON on standard input.
const { Webhook } = require(process.argv[2]);
const input = JSON.parse(require("fs").readFileSync(0, "utf8"));

function verdict(secret) {
  try {
    new Webhook(secret).verify(input.body, input.headers);
    return "good";
  } catch (error) {
    if (error.constructor.name !== "WebhookVerificationError") throw error;
    return "refused";
  }
}

console.log([...input.secrets, input.wrong].map(verdict).join(" "));
