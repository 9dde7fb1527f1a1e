# planted - secrets made by format, and texts that only look like secrets
#
# Nothing here is a key of anything, and no string of this file has the form of one: they are put
# together at run time.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import base64
import random
import string
import uuid

ALNUM = string.ascii_letters + string.digits
UPPER = string.ascii_uppercase + string.digits
LOWER = string.ascii_lowercase + string.digits
HEX = "0123456789abcdef"
URL64 = ALNUM + "-_"
B64 = ALNUM + "+/"

#   (rule, text around the secret with %s, parts of the secret: text, or (alphabet, length))
FORMATS = [
    ("aws-access-key", "%s", "AKIA", (UPPER, 16)),
    ("aws-access-key", "%s", "ASIA", (UPPER, 16)),
    ("aws-secret-key", "aws_secret_access_key = %s", (B64, 40)),
    ("aws-secret-key", '{"SecretAccessKey": "%s"}', (B64, 40)),
    ("google-api-key", "%s", "AIza", (URL64, 35)),
    ("google-client-secret", "%s", "GOCSPX-", (URL64, 28)),
    ("google-access-token", "%s", "ya29.", (URL64, 80)),
    ("google-refresh-token", "%s", "1//0", (URL64, 60)),
    ("azure-account-key", "AccountName=x;AccountKey=%s;", (B64, 86), "=="),
    ("azure-sas", "https://a.blob.core.windows.net/c?sv=2022&sig=%s", (ALNUM, 43), "%3D"),
    ("azure-client-secret", "%s", (ALNUM, 3), "8Q~", (ALNUM, 34)),
    ("digitalocean-token", "%s", "dop_v1_", (HEX, 64)),
    ("alibaba-access-key", "%s", "LTAI", (ALNUM, 20)),
    ("tencent-secret-id", "%s", "AKID", (ALNUM, 32)),
    ("heroku-key", "%s", "HRKU-", (URL64, 60)),
    ("netlify-token", "%s", "nfp_", (ALNUM, 36)),
    ("planetscale-token", "%s", "pscale_tkn_", (ALNUM, 43)),
    ("supabase-key", "%s", "sbp_", (HEX, 40)),
    ("databricks-token", "%s", "dapi", (HEX, 32)),
    ("vault-token", "%s", "hvs.", (URL64, 90)),
    ("terraform-token", "%s", (ALNUM, 14), ".atlasv1.", (ALNUM, 67)),
    ("doppler-token", "%s", "dp.pt.", (ALNUM, 43)),
    ("pulumi-token", "%s", "pul-", (HEX, 40)),
    ("tailscale-key", "%s", "tskey-auth-", (ALNUM, 12), "-", (ALNUM, 32)),
    ("age-secret-key", "%s", "AGE-SECRET-KEY-1", (UPPER, 58)),
    ("openai-key", "%s", "sk-proj-", (URL64, 74), "T3Blbk" + "FJ", (URL64, 74)),
    ("sk-key", "%s", "sk-", (ALNUM, 48)),
    ("anthropic-key", "%s", "sk-ant-api03-", (URL64, 93), "AA"),
    ("openrouter-key", "%s", "sk-or-v1-", (HEX, 64)),
    ("huggingface-token", "%s", "hf_", (ALNUM, 34)),
    ("groq-key", "%s", "gsk_", (ALNUM, 52)),
    ("xai-key", "%s", "xai-", (ALNUM, 80)),
    ("perplexity-key", "%s", "pplx-", (ALNUM, 48)),
    ("replicate-token", "%s", "r8_", (ALNUM, 37)),
    ("nvidia-key", "%s", "nvapi-", (URL64, 64)),
    ("langsmith-key", "%s", "lsv2_pt_", (HEX, 32), "_", (HEX, 10)),
    ("tavily-key", "%s", "tvly-", (ALNUM, 32)),
    ("pinecone-key", "%s", "pcsk_", (ALNUM, 6), "_", (ALNUM, 63)),
    ("github-token", "%s", "ghp_", (ALNUM, 36)),
    ("github-token", "%s", "ghs_", (ALNUM, 36)),
    ("github-pat", "%s", "github_pat_", (ALNUM, 22), "_", (ALNUM, 59)),
    ("gitlab-token", "%s", "glpat-", (URL64, 19), "x"),
    ("bitbucket-token", "%s", "ATBB", (ALNUM, 32)),
    ("atlassian-token", "%s", "ATATT3", (URL64, 180)),
    ("circleci-token", "%s", "CCIPAT_", (ALNUM, 22), "_", (HEX, 40)),
    ("sonarqube-token", "%s", "sqp_", (HEX, 40)),
    ("linear-key", "%s", "lin_api_", (ALNUM, 40)),
    ("notion-token", "%s", "ntn_", (ALNUM, 46)),
    ("figma-token", "%s", "figd_", (URL64, 40)),
    ("postman-key", "%s", "PMAK-", (HEX, 24), "-", (HEX, 34)),
    ("slack-token", "%s", "xoxb-", (string.digits, 12), "-", (string.digits, 12), "-", (ALNUM, 24)),
    ("slack-token", "%s", "xapp-1-", (UPPER, 11), "-", (string.digits, 13), "-", (HEX, 64)),
    ("slack-webhook", "https://hooks.slack.com/services/%s", "T", (UPPER, 8), "/B", (UPPER, 8), "/", (ALNUM, 24)),
    ("discord-webhook", "https://discord.com/api/webhooks/123456789012345678/%s", (URL64, 68)),
    ("discord-token", "DISCORD_TOKEN=%s", "MT", (ALNUM, 24), ".", (ALNUM, 6), ".", (URL64, 38)),
    ("discord-bot-token", "Bot %s", "MT", "A", (ALNUM, 23), ".", (ALNUM, 6), ".", (URL64, 37), "x"),
    ("telegram-token", "%s", (string.digits[1:], 10), ":AA", (URL64, 33)),
    ("sendgrid-key", "%s", "SG.", (URL64, 22), ".", (URL64, 43)),
    ("mailgun-key", "%s", "key-", (HEX, 32)),
    ("mailchimp-key", "%s", (HEX, 32), "-us12"),
    ("brevo-key", "%s", "xkeysib-", (HEX, 64), "-", (ALNUM, 16)),
    ("resend-key", "%s", "re_", (ALNUM, 8), "_", (ALNUM, 24)),
    ("twilio-key", "%s", "SK", (HEX, 32)),
    ("stripe-key", "%s", "sk_" + "live_", (ALNUM, 24)),
    ("stripe-key", "%s", "rk_" + "test_", (ALNUM, 99)),
    ("webhook-secret", "%s", "whsec_", (ALNUM, 32)),
    ("square-token", "%s", "sq0atp-", (URL64, 22)),
    ("braintree-token", "%s", "access_token$production$", (LOWER, 16), "$", (HEX, 32)),
    ("plaid-token", "%s", "access-production-", (HEX, 8), "-", (HEX, 4), "-", (HEX, 4), "-", (HEX, 4), "-", (HEX, 12)),
    ("shopify-token", "%s", "shpat_", (HEX, 32)),
    ("npm-token", "%s", "npm_", (ALNUM, 36)),
    ("npmrc-token", "//registry.example.org/:_authToken=%s", (ALNUM, 36)),
    ("pypi-token", "%s", "pypi-AgE", (URL64, 150)),
    ("rubygems-key", "%s", "rubygems_", (HEX, 48)),
    ("crates-token", "%s", "cio", (ALNUM, 32)),
    ("nuget-key", "%s", "oy2", (LOWER, 43)),
    ("docker-token", "%s", "dckr_pat_", (URL64, 27)),
    ("jfrog-key", "%s", "AKCp", (ALNUM, 69)),
    ("grafana-token", "%s", "glsa_", (ALNUM, 32), "_", (HEX, 8)),
    ("newrelic-key", "%s", "NRAK-", (UPPER, 27)),
    ("sentry-token", "%s", "sntryu_", (HEX, 64)),
    ("dynatrace-token", "%s", "dt0c01.", (UPPER, 24), ".", (UPPER, 64)),
    ("private-key", "%s", "-----BEGIN RSA " + "PRIVATE KEY-----\n", (B64, 64), "\n", (B64, 64), "\n-----END RSA " + "PRIVATE KEY-----"),
    ("private-key", "%s", "-----BEGIN OPENSSH " + "PRIVATE KEY-----\\n", (B64, 70), "\\n-----END OPENSSH " + "PRIVATE KEY-----"),
    ("jwt", "%s", "eyJ", (URL64, 33), ".eyJ", (URL64, 60), ".", (URL64, 43)),
    ("url-password", "postgres://app:%s@db.internal:5432/x", (ALNUM, 12)),
    ("url-password", "redis://:%s@10.0.0.7:6379", (ALNUM, 16)),
    ("authorization-header", "Authorization: Bearer %s", (URL64, 40)),
    ("authorization-header", "curl -H 'authorization: Basic %s' x", (ALNUM, 32)),
    ("key-header", "X-Api-Key: %s", "7", (ALNUM, 31)),
    ("curl-user", "curl -sS -u admin:%s https://x", (ALNUM, 14)),
    ("netrc", "machine h login me password %s", (ALNUM, 14)),
    ("docker-auth", '{"auths":{"r":{"auth": "%s"}}}', (ALNUM, 40)),
    ("connection-string", "Server=db;User Id=sa;Password=%s;", (ALNUM, 14)),
    ("password-variable", "PGPASSWORD=%s psql", (ALNUM, 12)),
]


class Secret:
    def __init__(self, rule, text, value):
        self.rule, self.text, self.value = rule, text, value


def _part(random_, part):
    return part if isinstance(part, str) else "".join(random_.choice(part[0]) for _ in range(part[1]))


def secrets(count, seed=1):
    """'count' secrets, each with a text that contains it"""
    random_ = random.Random(seed)
    found = []
    while len(found) < count:
        rule, around, *parts = FORMATS[len(found) % len(FORMATS)]
        value = "".join(_part(random_, part) for part in parts)
        found.append(Secret(rule, around % value, value))
    return found


def around(text, number):
    """The text as programs print it"""
    forms = ["%s", "token: %s", "export X='%s'", "first line\n%s\nlast line", "a\\n%s\\nb", "\x1b[31m%s\x1b[0m", "x=%s&y=1", "(%s)"]
    return forms[number % len(forms)] % text


def alike(seed=2):
    """Texts without a secret"""
    random_ = random.Random(seed)
    draw = lambda alphabet, size: _part(random_, (alphabet, size))
    texts = [str(uuid.UUID(int=random_.getrandbits(128))) for _ in range(50)]
    for size in (32, 40, 56, 64, 96, 128):
        texts += [draw(HEX, size) for _ in range(20)]
        texts += [draw(HEX, size).upper() for _ in range(5)]
    texts += ["task-" + draw(HEX, 40) for _ in range(20)] + ["sha256:" + draw(HEX, 64) for _ in range(20)]
    texts += ["cache-key-" + draw(HEX, 32), "https://example.org/a?b=c:d@e", "mailto:a@b.c", "user@host:/path"]
    texts += [draw(string.digits, size) for size in range(1, 60)]
    texts += [base64.b64encode(b"plain text, and more of it, number %d" % number).decode() for number in range(50)]
    texts += [base64.b64encode(random_.randbytes(300)).decode() for _ in range(200)]
    texts += [base64.urlsafe_b64encode(random_.randbytes(300)).decode() for _ in range(200)]
    texts += ["sha512-" + base64.b64encode(random_.randbytes(64)).decode() for _ in range(50)]
    texts += [
        "http://127.0.0.1:5570", "tcp://[::1]:5571", "ssh://git@host:22/x", "https://${USER}:${PASSWORD}@host/", "redis://:***@h",
        "https://<user>:<password>@host", "http://user:password@host", "Authorization: Bearer $TOKEN", "authorization: Bearer <token>",
        "authorization required: basic authentication", "the bearer of this letter has come a long way", "X-Api-Key: ${KEY}",
        "api_key = os.environ['OPENAI_API_KEY']", "PGPASSWORD=$PW psql", "PGPASSWORD: NOT FOUND", "sk-learn and sk-image are packages",
        "npm_config_registry=https://registry.npmjs.org/", "github_token = settings.get('github')", "hf_hub_download(repo_id)",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
        "eyJ is the start of base64 JSON", "a_re_b re_compile_the_pattern", "sk_buff *skb = alloc_skb(size)", "the AKIA prefix",
        "glpat- is a prefix", "curl -u user https://x", "the machine asks for a login and a password", "Set PRIVATE KEY in the vault",
        "key-value store, api-key: see the manual", "SK0, SK1", "cio is short for chief information officer", "re_",
        "\u00abredacted:github-token:0123abcd\u00bb", "https://u:\u00abredacted:url-password:0123abcd\u00bb@host/",
        "ssh-ed25519 " + base64.b64encode(random_.randbytes(51)).decode() + " me@host",
    ]
    return texts
