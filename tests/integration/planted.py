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
BASE32 = string.ascii_lowercase + "234567"
Z85 = ALNUM + ".-:+=^!/*?&<>()[]{}@%$#"

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
    ("stele-token", "%s", "stele_", (BASE32, 8), "_", (BASE32, 59)),
    ("key-variable", 'curve\n    public-key = "x"\n    secret-key = "%s"', (Z85, 40)),
    ("key-variable", "SECRET_KEY = 'django-insecure-%s'", (LOWER + "!@#%^&*(-_=+)", 50)),
    ("key-variable", "SECRET_KEY=%s", (ALNUM, 40)),
    ("password-value", "DB_PASSWORD=%s", "Q3", (ALNUM, 10)),
    ("password-value", '{"password": "%s"}', (ALNUM, 10), "x7"),
    ("password-value", "password: %s", (LOWER, 9), "k2z"),
    ("password-value", "mydb --host h --password %s", "b5", (ALNUM, 14)),
    ("password-value", "SMTP_PASS=%s", (ALNUM, 15), "4w"),
    ("password-value", "login?user=x&password=%s&go=1", "h8", (ALNUM, 12)),
    ("command-password", "sshpass -p %s ssh host", (ALNUM, 10), "3d"),
    ("command-password", "mysql -uroot -p%s app", (ALNUM, 12), "5f"),
    ("key-variable", "API_KEY=%s", (ALNUM, 32)),
    ("key-variable", "https://h/x?api_key=%s", (HEX, 32)),
    ("key-variable", '{"clientSecret": "%s"}', (URL64, 39), "x"),
    ("key-variable", "access_token: %s", (ALNUM, 40)),
    ("token-variable", "MY_BUILD_TOKEN=%s", (ALNUM, 40)),
    ("key-option", "tool --token %s run", (ALNUM, 36)),
    ("cookie", "Set-Cookie: session=%s; HttpOnly; Path=/", (ALNUM, 64)),
    ("cookie", "Cookie: theme=dark; sessionid=%s", (LOWER, 32)),
]


#   Assignments and commands that people write by hand, and values that are secrets by their key: (text with %s, value)
WRITTEN = [
    ("DB_PASSWORD=%s", "Tr0ub4dor&3"), ("password=%s", "hunter22"), ("password: %s", "Tr0ub4dor3xx"), ("tool --password %s x", "hunter22"),
    ("sshpass -p %s ssh h", "hunter22"), ("mysql -uroot -p%s x", "hunter22"), ("mysql -u root -p'%s'", "hunter22"),
    ('{"env": {"password": "%s"}}', "hunter22"), ('{\\"db_password\\": \\"%s\\"}', "Tr0ub4dor3xxyy"), ("passwd = '%s'", "hunter22"),
    ("os.environ['DB_PASSWORD'] = '%s'", "Tr0ub4dor&3"), ("$password = \"%s\";", "hunter22"), ("password => '%s',", "hunter22"),
    ("spring.datasource.password=%s", "hunter22"), ("    POSTGRES_PASSWORD: %s", "hunter22"), ("SMTP_PASS=%s", "hunter22"),
    ("docker login -u me -p %s r", "hunter22"), ("redis-cli -a %s ping", "hunter22"), ("?user=x&password=%s&y=1", "hunter22"),
    ("password = b'%s'", "hunter22"), ("PGPASSWORD='%s' psql", "hunter22"), ("redis://:%s@h:6379/0", "hunter22"),
    ("curl -u me:%s https://h", "hunter22"), ("machine h.example.org login me password %s", "hunter22"), ("Server=h;Password=%s;", "hunter22"),
]
PAIRS = [("password", "hunter22"), ("db_password", "Tr0ub4dor3xxyy"), ("DB_PASSWORD", "Tr0ub4dor&3"), ("passwd", "hunter22"),
         ("API_KEY", "q8Zr3LmT0xKp5VwY2bNc7HdF4jGs9AeU"), ("MY_SERVICE_TOKEN", "q8Zr3LmT0xKp5VwY2bNc7HdF4jGs9AeU"),
         ("client_secret", "q8Zr3LmT0xKp5VwY2bNc7HdF4jGs9AeU"), ("secret-key", "q8Zr3LmT0xKp5VwY2bNc7HdF4jGs9AeU.:[]{}@$"),
         ("Password", "p$w<d>{x}|[y](z) \u00e4\n7"), ("dbPassword", ";a,b&c=d'e\"f\\g`h"), ("api-key", "$x|y;(7)<z>"), ("token", "]q;'w\"e|r7")]

#   Words, names, code and placeholders where a secret might be
WORDS = [
    "authorization: Basic authentication required", "Authorization: Bearer authentication failed", "Authorization: Token validation error",
    "error: api-key: missing_required_header_v2_field", "job-token: not-set-in-this-build-2024", "X-Api-Key: see-the-manual-of-version-2",
    "refresh_token = generate_refresh_token_v2_for_client", "refresh_token = generateRefreshTokenV2ForClient(oauth2Settings)",
    '"auth": "AuthenticationModule"', '{"auth":"internalService"}', '{"auth": "oauth2ClientCredentials"}', '"auth": "session_and_token"',
    "\u2713 returns access_token: expected_access_token_value_1", "access_token=test_access_token_for_user_12",
    "The bearer authentication_scheme_of_oauth2_version20 failed", "a bearer internationalizationAndLocalization",
    "machine learning login page password reset", "the machine shows a login form with password fields", "machine x login y password ${PASSWORD}",
    "PGPASSWORD=getpass(prompt)", "POSTGRES_PASSWORD_FILE=/run/secrets/db-password-1", "MYSQL_PASSWORD=/run/secrets/mysql2",
    "password = models.CharField(max_length=128)", "password: str = Field(min_length=8)", "password=self.cleaned_data['password1']",
    "password = form.password2.data", "password: userPassword2,", "password=user_password_1", "const password: Uint8Array = x", "password: z.string()",
    "if password == 'hunter22': pass", "password != hunter22", "passwd: sha512crypt", "password: scram-sha-256", "password: 8characters",
    "'password': 'pbkdf2_sha256$260000$abc123$Def456='", "password: $2b$12$abcdefg", "password=$DB_PASSWORD1", "password = '{{ vault_password1 }}'",
    "password: arn:aws:secretsmanager:x:1:y", "password=%(password1)s", "db-password: my-app-db-credentials-v1", "password: !Ref DbPassword1",
    "password=vault:secret/data/db1#password", "Enter your password: incorrect, 2 attempts left", "password: must have 8 characters",
    "Your password: at least one of A1, B2", "--password stdin1", "--password-file x1y2z3w4", "the option --password PASSWORD1 is deprecated",
    "sshpass -p option is not safe", "mysql -p asks for a password", "mysql -uroot -p mydb2", "mysql --port=3306 -h db1", "docker login -p takes it",
    "API_KEY=settings.production.api_key_v2", "api_key = os.environ['MY_API_KEY_2']", "api_key: process.env.OPENAI_API_KEY_2", "api_key=${API_KEY}",
    "MY_SERVICE_TOKEN=$(cat /run/secrets/token1)", "MY_TOKEN=file-that-has-the-token-2.txt", "next_page_token=q8Zr3LmT0xKp5VwY2bNc7HdF4jGs9AeU",
    "NEXT_TOKEN=q8Zr3LmT0xKp5VwY2bNc7HdF4jGs9AeU", "prompt_tokens: 12345678901234567890", "secret: projects/my-project-1/secrets/db-key/versions/3",
    '"token": "expected_identifier_or_string"', "secret-key = the one of the file server.key_secret", "SECRET_KEY = get_random_secret_key()",
    "SECRET_KEY = config('SECRET_KEY')", "secret_key: existing-secret-of-the-release-name", "tool --token FILE_WITH_THE_TOKEN_OF_USER_1",
    "Set-Cookie: language=en; Path=/", "Set-Cookie: session=; Max-Age=0", "Set-Cookie: session=deleted_by_the_middleware; Path=/", "Cookie: theme=dark",
    "Set-Cookie: csrftoken=q8Zr3LmT0xKp5VwY2bNc7HdF4jGs9AeU", "my_authtoken = get_default_authtoken_value", 'Digest username="me", realm="x"',
    "authorization: Digest username=\"user\", realm=\"x\"", "https://user:guest@h", "amqp://guest:guest@localhost:5672//", "redis+unix://[[USER:]PASSWORD@localhost]PATH",
    "\"-----BEGIN RSA PRIVATE KEY-----\" and \"-----END RSA PRIVATE KEY-----\" are the marks", "-----BEGIN OpenVPN Static key V1-----",
]
X = "x" * 48
PLACEHOLDERS = [
    "https://username:your-token-here@github.com/", "https://user:<token>@h", "https://user:${TOKEN}@h", "https://me:changeme@h", "https://me:xxxxxxxx@h",
    "MYSQL_ROOT_PASSWORD=my-secret-pw", "POSTGRES_PASSWORD=postgres", "POSTGRES_PASSWORD=mysecretpassword", "PGPASSWORD=your_password psql",
    "Server=x;User Id=sa;Password=yourStrong(!)Password;", "password=changeme123", "password: password123", "password='test1234'", "password: 'admin123'",
    "DB_PASSWORD=<password1>", "DB_PASSWORD=${DB_PASSWORD_1}", "password=xxxxxxxx1", "password: example123", "--password your-password-1", "password: s3cr3t123",
    "sshpass -p password ssh h", "mysql -uroot -psecret", "curl -u user:password https://h", "curl -u name:your_password1 https://h",
    "AKIA" + "IOSFODNN7" + "EXAMPLE", "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY", "AKIA" + X[:16].upper(),
    "ghp_" + X[:36], "gho_" + X[:36].upper(), "github_pat_" + X[:22] + "_" + X, "github_pat_your_personal_access_token_goes_here",
    "sk-" + X, "sk-proj-" + X.upper(), "sk-proj-your-api-key-goes-here", "sk-ant-api03-" + X, "sk-ant-api03-your-anthropic-key-here", "sk_" + "test_your_secret_key_here",
    "sk_" + "live_" + X[:24], "xoxb-" + X, "xoxb-your-bot-token-here", "glpat-" + X[:20], "glpat-your-access-token-here", "hf_" + X[:34], "AIza" + X[:35].upper(),
    "npm_" + X[:36], "hvs." + X[:24], "hvs.your-vault-token-goes-here", "SG." + X[:22] + "." + X[:43], "dop_v1_" + "0" * 64, "whsec_your_webhook_signing_secret",
    "API_KEY=" + X[:32], "API_KEY=your_api_key_goes_right_here_1", "api_key: 'YOUR-API-KEY-0123456789'", "MY_SERVICE_TOKEN=" + "0" * 40, "SECRET_KEY='change-me-to-a-long-random-text'",
    "SECRET_KEY = 'django-insecure-" + X + "'", 'secret-key = "' + "0" * 40 + '"', "X-Api-Key: 1234567890abcdef1234", "Authorization: Bearer YOUR_API_KEY",
    "Authorization: Bearer your-token-123", "Authorization: Bearer xxxxxxxxxxxx", "Authorization: Basic dXNlcjpwYXNzd29yZA==", "AccountKey=" + "Eby8vdM02xNOcqFl" + "qUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq==",
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
    return WORDS + PLACEHOLDERS + _alike(seed)


def written():
    """Secrets that people write by hand, as secrets() returns them; the rule is not told"""
    return [Secret("", text % value, value) for text, value in WRITTEN]


def _alike(seed):
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
