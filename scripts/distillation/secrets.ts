/**
 * Secrets in texts: private keys, tokens of the well-known shapes, passwords in URLs and beside names that say so, and a run's
 * own keys. Nothing that leaves a run, to a model, a terminal or the log, holds one.
 */

/** What stands for a value without being one: a variable, a placeholder, what was struck before. */
const NO_VALUE = String.raw`[$<{*•%[(]`;
/** A file's path or another place's URL, whole. */
const NO_PLACE = String.raw`(?:@?(?:[.~]{1,2}|\/[\w.-]{1,64})\/[\w./-]{1,255}|[a-z][a-z0-9+.-]{1,20}:\/\/[^\s"',;]{0,255})(?=["',;\s\\]|$)`;
/** Somewhere a digit or a sign, for a plain word tells of a secret and is none. */
const NO_PLAIN_WORD = String.raw`(?=[^\s"',;]{0,255}[\d!#%&+/=@^~])`;
const PASSWORD = String.raw`${NO_PLAIN_WORD}(?!${NO_VALUE}|--)[^\s"'\x60]{4,255}`;
/** JSON within JSON has backslashes before its quotes, more of them the deeper it stands. */
const QUOTE = String.raw`\\{0,7}["']`;
/** Between a key's name and its value. */
const EQUALS = String.raw`(?:\\{0,7}["'\x60*]){0,3}\s{0,4}[:=：]\*{0,3}\s{0,4}\*{0,3}`;
/** One character within the quotes that were opened, an escaped one with its backslash; and one that is no blank. */
const QUOTED = String.raw`(?:(?!\k<open>)(?:\\[^\n]|[^\\\n]))`;
const QUOTED_SOLID = String.raw`(?:(?!\k<open>)(?:\\\S|[^\\\s]))`;
/** What is quoted may have blanks. Then it is a sentence, unless it has both a digit and a sign that sentences do without. */
const NO_SENTENCE = String.raw`(?:(?=${QUOTED_SOLID}{0,127}[\d!#%&+/=@^~])(?=${QUOTED_SOLID}{6,128}\k<open>)|(?=${QUOTED}{0,127}\d)(?=${QUOTED}{0,127}[!#%&+=@^~]))`;
/** The word in other languages; two of them end others, such as "desenha". */
const FOREIGN_NAME = String.raw`(?:contraseña|mot de passe|hasło|heslo|wachtwoord|lösenord|şifre|(?:senha|parola)(?<=(?<![a-z])[a-z]{5,6})|пароль|密[码碼]|パスワード|비밀번호|पासवर्ड|كلمة المرور)`;
const PASSWORD_NAME = `(?:pass(?:word|wd|phrase|wort)|kennwort|${FOREIGN_NAME})`;
const KEY_NAME = `(?:${PASSWORD_NAME}|[_-]pass|secret|token|(?:api|access|account|encryption|secret)[_-]?key(?:[_-]base)?)`;
/** Too short to be looked for within words, but for "dbPwd". */
const SHORT_NAME = String.raw`(?:(?<![a-z\d])(?:pwd|pw)|(?-i:(?<=[a-z])Pwd))`;
/** Tests call so what they passed, and how often. */
const PASS_NAME = String.raw`(?:(?<![a-z\d_-])(?:db|user|admin|root|smtp|mail)?pass)`;
const LOGIN_NAME = `(?:${PASSWORD_NAME}|${SHORT_NAME})`;
/** Whose it is: "for root on db-3", "(root)". */
const OWNER_WORD = String.raw`\s{1,2}[\w@./'"\x60*%-]{1,40}`;
const OWNER = String.raw`(?:\s{1,2}(?:for|of|on|to|für|von|vom|del?|du|para|per|voor|для|от)(?:${OWNER_WORD}){1,4}|\s{0,2}\([^\n()]{1,40}\))`;
/** Not behind "?", "&" (a query) or ":" (the name of a secret's kind in a resource's name). */
const APART = String.raw`(?<![?&][\w-]{0,32}|:)`;
const QUOTES = String.raw`(?:\\{0,7}["'\x60*]){0,3}`;
/** Between a name that prose has as well and its value: both are on one line. */
const IS = String.raw`${QUOTES}[ \t]{0,4}[:=：]\*{0,3}[ \t]{0,4}\*{0,3}(?:${QUOTE}|\x60)?`;
/** Signs and letters of scripts without blanks, in which a sentence goes on behind a value. */
const EAST_ASIAN = String.raw`\u3000-\u9fff\uac00-\ud7af\uff00-\uffef`;
/** One character of a value. */
const PART = String.raw`(?:[^\s"',;<\x60\\${EAST_ASIAN}]|<(?![a-z/])|\\(?!\\{0,7}["']))`;
/** A value as far as it may reach. */
const VALUE = `${PART}{6,4096}`;

/** UTF-16 units on either side of a value and its name that tell what they are. */
const CONTEXT_CHARS = 48;

/** Whether a value is a secret, by itself and by what stands behind it and before it, its name included. */
type Judge = (value: string, behind: string, before: string) => boolean;

/** "3600seconds", "2048tokens". */
const COUNT = /^\d+(?:sec(?:ond)?|min(?:ute)?|hour|day|week|month|year|token|byte|time)s?$/i;

/** Whatever its name says, what only leads to a value: a file, a path or a name in another store, a call, a field, what is enciphered. */
const ELSEWHERE = [
  new RegExp(`^${NO_PLACE}`, "i"),
  /^[\w./-]{1,128}\.(?:txt|ya?ml|json|env|key|pem|crt|pub|conf|cfg|ini|enc|gpg|jks|p12|pfx|toml|properties)$/i,
  /^[a-z_][a-z_.-]*(?:\/[a-z\d_.-]*)+$/,
  /^(?:arn|vault|env|file|kv|ssm|sops|gopass|keepass|bitwarden|1password):/i,
  /^[a-z_]\w*(?:\.\w+)*(?:\((?:.*\))?|\[\w*\]?)$/i,
  /^[a-z_]\w*(?:\.\w+)+\(\w*$/i,
  /^(?:self|this|var|local|data|module|config|cfg|process|os|env|args|opts|params|settings)\.[a-z_]/,
  /^ENC\[/,
  /^(?:your|replace|insert)[-_]/i,
];

/**
 * What has digits or signs and is no secret: variables, paths, addresses, figures and what is counted, tickets, and the names
 * of algorithms and types.
 */
const NO_SECRETS = [
  ...ELSEWHERE,
  /^(?:!?\$|[<{*%[(]|--|\d?>)/,
  /^[a-z_][\w.:]*[[(](?:.*[\])])?$/i,
  /^(?:[.~]{0,2}\/[\w./-]*$|[a-z]:\\)/i,
  /^[a-z][a-z\d+.-]*:\/\//i,
  /^[\w.+-]+@[\w-]+(?:\.[\w-]+)+$/,
  /^(?=\d*[^\d])[\d.,:/%x+~-]+$/,
  /^\d{4}-\d\d-\d\dT[\d:.+-]*Z?$/,
  /^(?:\d+(?:ms|min|[smhdwx]|[kmgt]i?b?|st|nd|rd|th))+$/i,
  COUNT,
  /^\d+[a-z]{0,3}-[a-z-]+$/i,
  /^(?:0x[\da-f]{4}|#[\da-f]{3,8}$)/i,
  /^[A-Z]{2,10}-\d+$/,
  /^(?:base(?:32|58|64)(?!:)|sha-?\d|md5|utf-?\d|argon2|pbkdf2|x509|aes-?\d|rsa-?\d|rfc-?\d|oauth-?2|2fa|u?int\d|(?:var)?char\()/i,
  /^(?:e2e|k8s|ec2|s3|v\d{1,3})(?:[-_./]|$)/i,
  /^(?:string|text|bytes|boolean|optional|required)[!?]$/i,
];

const mayBeSecret = (value: string): boolean =>
  value.length >= 6 && /[\d!#%&+/=@^~]/.test(value) && !NO_SECRETS.some((shape) => shape.test(value));

/** web-1, eu-west-1b, default-token-x7k2p, but no UUID. */
const PLAIN_NAME = /^(?=.*[g-z])[a-z\d]+(?:[._-][a-z\d]+)+$/;

/** `Sup3rS3cret1`, `winter24!`: letters behind a digit, or a sign beside letters and digits, which names seldom have. */
const isMadeUp = (value: string): boolean =>
  value.length >= 8 &&
  mayBeSecret(value) &&
  !PLAIN_NAME.test(value) &&
  (/\d[a-z]/i.test(value) || (/\d/.test(value) && /[a-z]/i.test(value) && /[!#%&+@^~$*?]|=$/.test(value)));

/** Here the line, the sentence, a bracket or a list ends, or the next name has its value. */
const CLAUSE_END =
  /^[*_]{0,3}(?:["'\x60]|\.(?:\s|$)|[ \t]{0,8}(?:$|[\r\n,;|<)\]}]|\((?!\d)|[-–—]\s|(?:(?:and|und)\s)?[\w-]{1,20}\s?[:=]))/;

/** `winter24` may be a host as well; it is a value where it is all that is said. */
const isValue: Judge = (value, behind) => isMadeUp(value) || (mayBeSecret(value) && CLAUSE_END.test(behind));

/** What passed stands beside what failed, or is counted. */
const isNoResult: Judge = (value, behind, before) =>
  isMadeUp(value) ||
  (isValue(value, behind, before) &&
    !/^\d+$/.test(value) &&
    !/fail(?:ed|ures?)?\s?[:=]/i.test(`${before} ${behind}`));

/** It holds a capital, a small letter and a digit, as a word of prose hardly does. */
const isMixed = (value: string): boolean =>
  isMadeUp(value) && /[A-Z]/.test(value) && /[a-z]/.test(value) && /\d/.test(value);

/** A block of Markdown or of one of its dialects, where a value might begin. */
const BLOCK = /^\s*(?:[\x60~]{3}|!?\[|[>|<{]|:::|!!!|\?\?\?|===|---|\+\+\+|#)/;
/** Names that say of another secret what it is called: `existingSecret: redis-auth-v2`, `--secret=db-app-2`. */
const REFERENCE =
  /(?<!client|consumer|app|shared|signing|session|cookie|jwt|auth|hook)(?:(?<=[a-z])Secret|(?<=--[a-z-]{0,32})secret)["'\x60*]{0,3}\s{0,4}[:=]\s{0,4}["'\x60*]{0,3}$/;
const NAME_OF_WORDS = /^[a-z]{2,}\d{0,2}(?:[.-](?:[a-z]{2,}\d{0,2}|v?\d{1,4}[a-z]?))+$/;

/** A name that is a secret's own vouches for almost any value on its line, and for one that has the next line for itself. */
const isNamed: Judge = (value, behind, before) => {
  if (!/[\d!#%&+/=@^~]/.test(value) || ELSEWHERE.some((shape) => shape.test(value))) return false;
  // A YAML tag, with its value behind it: `!vault |`.
  if (/^!{1,2}[a-z][\w.:/-]*$/i.test(value) && /^[ \t]{1,4}\S/.test(behind)) return false;
  if (/token\W{1,12}$/i.test(before) && (/^\d+$/.test(value) || COUNT.test(value))) return false;
  if (REFERENCE.test(before) && NAME_OF_WORDS.test(value)) return false;
  const marks = /\n([ \t\r"'\x60*\\]{0,16})$/.exec(before)?.[1];
  if (marks === undefined) return true;
  const isAlone = /^["'\x60*]{0,3}[,;.]?[ \t]*(?:\r?\n|$)/.test(behind) && !value.endsWith(":");
  return isAlone && !BLOCK.test(marks + value);
};

/** `value: redis-auth-v2` below a secret's name is the name of another. */
const isNoName: Judge = (value, behind, before) =>
  isValue(value, behind, before) && !NAME_OF_WORDS.test(value);

/** What goes before a user's name. */
const LOGIN =
  "(?:log(?:in|on|[ -]in)|sign[ -]in|credentials?|creds|user(?:name)?|account|zugangsdaten|anmeldung)";

/** Tools, each up to the option that a password follows. */
const PASSWORD_OPTIONS = [
  ["sshpass|psexec(?:64)?|mongo(?:sh|dump|restore|export|import)?", String.raw`-p\s{1,4}`],
  [
    String.raw`(?:docker|podman|nerdctl|buildah|skopeo|oras|helm\sregistry|az|oc)\slogin`,
    String.raw`-p\s{1,4}`,
  ],
  ["redis-cli", String.raw`(?:-a|--pass)\s{1,4}`],
  ["sqlcmd|bcp|ipmitool", String.raw`-P\s{0,4}`],
  [String.raw`snmp\w{1,10}`, String.raw`-[AX]\s{1,4}`],
  ["htpasswd", String.raw`-\w{0,4}b\w{0,4}\s{1,4}\S{1,128}\s{1,4}\S{1,64}\s{1,4}`],
  ["rabbitmqctl", String.raw`(?:add_user|change_password)\s{1,4}\S{1,64}\s{1,4}`],
  ["sqlplus", String.raw`[\w$]{1,30}\/(?!@)`],
  ["ConvertTo-SecureString", String.raw`(?:-String\s{1,4})?`],
  ["ldap(?:search|modify|add|delete|whoami|passwd|compare)", String.raw`-w\s{1,4}`],
  ["winrs", "-p:"],
  ["w?xfreerdp|mstsc", "/p:"],
  ["smbclient|rpcclient|mount.cifs", String.raw`-U\s{0,4}["']?[\w.@\\-]{1,64}%`],
].map(([tool, option]) => String.raw`(?:${tool})(?:\.exe)?\s(?:[^\n|;]{0,200}\s)?${option}`);

/** Tokens of services by what they begin with. */
const API_KEYS = [
  String.raw`sk-[\w-]{20,255}|[sr]k_live_\w{10,255}|whsec_[A-Za-z0-9+/]{24,64}`,
  String.raw`AIza[\w-]{35}|ya29\.[\w-]{20,255}|GOCSPX-[\w-]{28}`,
  String.raw`npm_[A-Za-z0-9]{36}|pypi-[\w-]{50,255}|rubygems_[a-f0-9]{48}|dckr_[po]at_[\w-]{20,255}`,
  String.raw`hf_[A-Za-z0-9]{30,64}|gsk_[A-Za-z0-9]{40,64}|xai-[A-Za-z0-9]{60,120}|r8_[A-Za-z0-9]{37}`,
  String.raw`do[opr]_v1_[a-f0-9]{64}|hv[sbr]\.[\w-]{20,255}|s\.(?=[A-Za-z]{0,23}\d)[A-Za-z0-9]{24}\b|dp\.[a-z]{2,5}\.[A-Za-z0-9]{40,64}`,
  String.raw`SG\.[\w-]{16,64}\.[\w-]{16,64}|\d{8,10}:AA[\w-]{33}\b|ATATT3[\w=-]{20,255}|lin_api_[A-Za-z0-9]{40}|shp(?:at|ca|pa|ss)_[a-f0-9]{32}`,
  String.raw`gl(?:sa|c)_[\w+/=-]{24,255}|NR(?:AK|JS|II)-[A-Z0-9]{20,48}|sntry[su]_[\w+/=-]{32,255}|HRKU-[\w-]{36,64}|secret_[A-Za-z0-9]{43}\b|ntn_[A-Za-z0-9]{40,64}`,
  String.raw`PMAK-[a-f0-9]{24}-[a-f0-9]{34}|(?<![\w-])key-[a-f0-9]{32}\b|pul-[a-f0-9]{40}|[A-Za-z0-9]{14}\.atlasv1\.[\w-]{60,70}`,
];

type Shape = [kind: string, shape: RegExp, isSecret?: Judge];

/**
 * The shapes of secrets that are worth keeping out of a log, each with the part in front that is kept, and who decides where
 * the name says too little. A value that is a variable, a placeholder, a plain word or the path of a file is none.
 * Repetitions are bounded, so that no input is slow.
 */
const SHAPES: Shape[] = [
  [
    "private_key",
    // Of a key that is cut off, the lines that look like one; a sentence about its first line goes on behind it.
    /()-----BEGIN [A-Z ]{0,32}PRIVATE KEY(?: BLOCK)?-----(?:[\s\S]{0,8192}?-----END [A-Z ]{0,32}PRIVATE KEY(?: BLOCK)?-----|(?:(?:(?:\s|\\[nr]){1,64}(?:[\w+/=]{16,}|(?:Proc-Type|DEK-Info|Version|Comment): [^\n]{0,200}))+(?:(?:\s|\\[nr]){1,64}[\w+/=]{1,15}(?=\s*$))?)?)/g,
  ],
  ["private_key", /()\bAGE-SECRET-KEY-1[A-Z0-9]{50,70}/g],
  ["aws_key", /()\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g],
  ["github_token", /()\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_\w{22,255})/g],
  ["gitlab_token", /()\bgl(?:pat|rt|dt|ptt|cbt|ft|soat)-[\w-]{20,255}/g],
  ["slack_token", /()\b(?:xox[abeprs]|xapp)-[\w-]{10,255}/g],
  ["slack_token", /(\bhooks\.slack\.com\/services\/)\w{8,16}\/\w{8,16}\/\w{16,64}/g],
  ["discord_token", /(\bdiscord(?:app)?\.com\/api\/webhooks\/\d{15,22}\/)[\w-]{40,128}/g],
  ["api_key", /(\/IncomingWebhook\/)[a-f0-9]{32}\b/g],
  ["azure_key", /(\bAccountKey=)[A-Za-z0-9+/]{60,100}={0,2}/g],
  ["api_key", new RegExp(String.raw`()\b(?:${API_KEYS.join("|")})`, "g")],
  // Behind some name at most: each of a run of them would be followed to its end.
  ["jwt", /()\beyJ(?<![A-Za-z\d][\w-]{63}eyJ)[\w-]{8,4096}\.eyJ[\w-]{8,4096}\.[\w-]{8,4096}/g],
  [
    "bearer",
    // "Authorization: token authentication" says how, and not what.
    new RegExp(
      String.raw`(\bauthorization(?:${QUOTE})?\s{0,4}[:=]\s{0,4}(?:${QUOTE})?(?:(?:bearer|basic)\s{1,4}|(?:token|api-?key)\s{1,4}(?=[\w.~+/=-]{0,255}\d)))[\w.~+/=-]{12,4096}`,
      "gi",
    ),
  ],
  [
    "url_password",
    /(\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s/:@[]{0,255}:)(?![$<{*[]|pass(?:word|wd)?@)[^\s/]{1,255}(?=@)/gi,
  ],
  // What takes a client's key for its name: Sentry.
  ["url_password", /(\bhttps?:\/\/)[a-f0-9]{32}(?=@)/g],
  // In a query the next parameter ends the value.
  [
    "url_password",
    new RegExp(
      String.raw`([?&][\w-]{0,32}(?:${KEY_NAME}|sig|signature)=\x60{0,3})(?!${NO_VALUE})[^\s"'\x60&#<>]{6,4096}`,
      "gi",
    ),
  ],
  // Kubernetes calls its own users system:serviceaccount:shop:web.
  ["password", /((?:^|\s)(?:-u|--user)[ =](?!system:)[\w.@\\-]{1,64}:)(?![$<{*[]|\/\/)[^\s"']{4,255}/g],
  ["password", new RegExp(String.raw`(\b(?:mysql|mariadb)[\w-]{0,16}\b[^\n|;]{0,200}\s-p)${PASSWORD}`, "g")],
  ["password", new RegExp(String.raw`(\b(?:${PASSWORD_OPTIONS.join("|")})["']?)${PASSWORD}`, "g")],
  [
    "password",
    new RegExp(
      String.raw`(\bnet(?:\.exe)?\s{1,4}user\s{1,4}[^\s/]\S{0,63}\s{1,4}["']?)(?!\/)${PASSWORD}`,
      "g",
    ),
  ],
  [
    "password",
    new RegExp(String.raw`(\bnet\s+use\s[^\n|;]{0,200}\s\/user:\S{1,64}\s{1,4})(?!\/)${PASSWORD}`, "gi"),
  ],
  [
    "password",
    new RegExp(String.raw`(\bnet\s+use\s[^\n|;]{0,200}?\s)(?![/\\])${PASSWORD}(?=\s{1,4}\/user:)`, "gi"),
  ],
  [
    "password",
    new RegExp(
      String.raw`(\becho\s{1,4}(?:-n\s{1,4})?["']?(?:[\w.-]{1,40}:)?)${PASSWORD}(?=["']?\s{0,4}\|\s{0,4}(?:sudo\s{1,4})?(?:ch)?passwd\b)`,
      "g",
    ),
  ],
  // A name and its password: "Login with admin / Adm1nPass99", "login: admin/Adm1nPass99".
  [
    "password",
    new RegExp(
      String.raw`((?:\b${LOGIN}\b[^\n/]{0,40}[\s:"'\x60*][\w.@\\-]{1,40}${QUOTES}(?:\s\/\s|:)|\b${LOGIN}\*{0,2}:\*{0,2}\s{1,4}${QUOTES}[\w@-]{1,40}\/|\b(?:admin|administrator|root)${QUOTES}\s\/\s)${QUOTES})(?!/)${PART}{8,128}`,
      "gi",
    ),
    isMixed,
  ],
];

/** What every name holds by which a secret is known: most texts have none, and need not be searched for a dozen shapes. */
const NAMED = new RegExp(
  `pass|pw|kennwort|secret|token|key|psk|auth"|community|identified|masterauth|${FOREIGN_NAME}`,
  "i",
);
const NAMED_SHAPES: Shape[] = [
  ["password", new RegExp(String.raw`(\bpass(?:word|phrase)\s{1,2}is\s{1,2}["'\x60])${PASSWORD}`, "gi")],
  // "Password – Sup3rS3cret1", "reset the password to Sup3rS3cret1".
  [
    "password",
    new RegExp(
      String.raw`((?:${LOGIN_NAME}|(?:access|api)[_-]key)${QUOTES}[ \t]{1,4}(?:(?:is|was|to|[-–—])[ \t]{1,4})?(?:${QUOTE}|\x60)?)${VALUE}`,
      "gi",
    ),
    isMixed,
  ],
  // Apart from its name: `- name: DB_PASSWORD` and below it `value: …`, in JSON and XML, too.
  [
    "password",
    new RegExp(
      String.raw`(\b(?:name|key)(?:${QUOTE})?\s{0,4}[:=]\s{0,4}(?:${QUOTE})?[\w.-]{0,64}?(?:${KEY_NAME}|${SHORT_NAME}|(?<![a-z\d])pass)(?:${QUOTE})?[\s,]{1,40}(?:${QUOTE})?value(?:${QUOTE})?\s{0,4}[:=]\s{0,4}(?:${QUOTE})?)${VALUE}`,
      "gi",
    ),
    isNoName,
  ],
  // A block that holds the value alone.
  [
    "password",
    new RegExp(
      String.raw`((?:${LOGIN_NAME}|api[ _-]?key|token)${QUOTES}[:：]\*{0,3}[ \t]{0,4}\n\s{0,16}(?:\x60{3,8}|~{3,8})[\w-]{0,16}\n[ \t]{0,16})${VALUE}(?=[ \t]{0,4}\n[ \t]{0,16}(?:\x60{3}|~{3}))`,
      "gi",
    ),
    isMadeUp,
  ],
  // Keys of other things, too.
  [
    "password",
    new RegExp(
      String.raw`${APART}((?:(?:app(?:lication)?|auth|integration|licen[cs]e|master|private|routing|service|shared|signing|storage)[_-]?key|(?:integration|licen[cs]e|master|signing) key|(?<![a-z])psk|"_?auth")${EQUALS}(?:${QUOTE})?)${VALUE}`,
      "gi",
    ),
    isMadeUp,
  ],
  [
    "password",
    new RegExp(
      String.raw`${APART}(${KEY_NAME}(?:${EQUALS}(?:${QUOTE})?|\s{1,4}(?<=--[\w-]{1,32}\s{1,4})))` +
        String.raw`(?!${NO_VALUE}|${NO_PLACE})${NO_PLAIN_WORD}(?:[^\s"',;\\${EAST_ASIAN}]|\\(?!\\{0,7}["'])){6,4096}`,
      "gi",
    ),
    isNamed,
  ],
  [
    "password",
    new RegExp(
      String.raw`${APART}((?:${KEY_NAME}|${SHORT_NAME})${EQUALS}(?<open>\\{0,7}["'\x60]))` +
        String.raw`(?!${NO_VALUE}|${NO_PLACE})${NO_SENTENCE}${QUOTED}{6,128}(?=\k<open>)`,
      "gi",
    ),
    isNamed,
  ],
  // What a validator demands of a password is none: 'password' => 'required|min:8'.
  [
    "password",
    new RegExp(
      String.raw`((?:${KEY_NAME}|${SHORT_NAME}|${PASS_NAME})(?:${QUOTE})?\s{0,8}(?:=>|:=)\s{0,4}(?<open>\\{0,7}["'\x60]))` +
        String.raw`(?!${NO_VALUE}|${NO_PLACE}|[a-z_]{1,32}(?::[\w,]{1,20})?\|)${NO_SENTENCE}${QUOTED}{6,128}(?=\k<open>)`,
      "gi",
    ),
  ],
  // The quotes of an option's or a variable's value hold no sentence.
  [
    "password",
    new RegExp(
      String.raw`((?:--[\w-]{0,32}(?:${LOGIN_NAME}|pass|token|(?:api|access|account|encryption|secret)-?key)(?:=|\s{1,4})|(?-i:(?:PASSWORD|PASSWD|PASSPHRASE|PWD|SECRET|TOKEN)=))(?<open>${QUOTE}))` +
        String.raw`(?!${NO_VALUE}|${NO_PLACE})(?=${QUOTED}{0,127}[\d!#%&+/=@^~])${QUOTED}{6,128}(?=\k<open>)`,
      "gi",
    ),
  ],
  // SQL doubles a quote within quotes.
  [
    "password",
    new RegExp(
      String.raw`(\b(?:password|identified\s{1,4}(?:with\s{1,4}\w{1,40}\s{1,4})?by)(?:\s{1,4}|\s{0,4}\(\s{0,4})(?<open>${QUOTE}))` +
        String.raw`(?:\k<open>\k<open>|(?!\k<open>)\S){6,128}(?=\k<open>(?!\k<open>))`,
      "gi",
    ),
    mayBeSecret,
  ],
  [
    "password",
    new RegExp(
      String.raw`(<(?:[\w.-]{1,40}:)?[\w.-]{0,40}(?:${KEY_NAME}|${SHORT_NAME}|(?<![a-z\d])pass)(?:\s[^<>]{0,200})?>\s{0,40})` +
        String.raw`(?:[^<>\s]{6,4096}|(?=[^<>\n]{0,127}\d)(?=[^<>\n]{0,127}[!#%&+=@^~])[^<>\s][^<>\n]{5,127})(?=\s{0,40}<\\?/)`,
      "gi",
    ),
    mayBeSecret,
  ],
  [
    "password",
    new RegExp(
      String.raw`((?<!\w)(?:requirepass|masterauth|snmp-server[ \t]community|bindpw|-(?:store|key)pass)[ \t]{1,4}(?:${QUOTE})?)${VALUE}`,
      "gi",
    ),
    isValue,
  ],
  ["password", new RegExp(`${APART}(${SHORT_NAME}${IS})${VALUE}`, "gi"), isValue],
  // Test runners say "PASS: TestDisk2b".
  [
    "password",
    new RegExp(`${APART}(${PASS_NAME}${IS})(?!(?-i:(?<=PASS: )[Tt]est))${VALUE}`, "gi"),
    isNoResult,
  ],
  [
    "url_password",
    new RegExp(String.raw`([?&](?:pass|pwd|pw)=\x60{0,3})[^\s"'\x60&#<>]{6,4096}`, "gi"),
    isNoResult,
  ],
  [
    "password",
    new RegExp(
      String.raw`((?:(?:${LOGIN_NAME}|api[ _-]?key)${QUOTES}${OWNER}|\bapi key)${IS})${VALUE}`,
      "gi",
    ),
    isValue,
  ],
  [
    "password",
    new RegExp(
      String.raw`((?:(?:secret|token)${QUOTES}${OWNER}|\b(?:access|account|encryption|secret) key(?:${QUOTES}${OWNER})?)${IS})${VALUE}`,
      "gi",
    ),
    isMadeUp,
  ],
];

export interface Secret {
  kind: string;
  /** UTF-16 offsets; `end` is the first behind it. */
  start: number;
  end: number;
}

/** The secrets in a text, in order. Where two shapes overlap they are one secret, of the kind that stands first in the list. */
export function findSecrets(text: string): Secret[] {
  const found = SHAPES.flatMap((shape) => matchesOf(shape, text));
  if (!NAMED.test(text)) return merged(found);
  const named = NAMED_SHAPES.flatMap((shape) => matchesOf(shape, text));
  return merged([...found, ...named, ...secretsInTables(text)]);
}

function matchesOf([kind, shape, isSecret]: Shape, text: string): Secret[] {
  const places: Secret[] = [];
  shape.lastIndex = 0;
  for (let match = shape.exec(text); match !== null; match = shape.exec(text)) {
    const { index, 0: whole, 1: label } = match;
    const valueAt = index + label!.length;
    const place = withoutMarks({ kind, start: valueAt, end: index + whole.length }, text);
    const { start, end } = place;
    const before = text.slice(Math.max(0, index - CONTEXT_CHARS), start);
    const isOne = isSecret?.(text.slice(start, end), text.slice(end, end + CONTEXT_CHARS), before) ?? true;
    if (isOne) places.push(place);
    // In what is none another name may stand with its value.
    else shape.lastIndex = Math.max(index + 1, valueAt);
  }
  return places;
}

/**
 * A secret's place without the marks around it, and without what ends its sentence or bracket, so that it is known as it stands
 * elsewhere. In quotes, and before the `@` of a URL, all of it counts.
 */
function withoutMarks(place: Secret, text: string): Secret {
  if (!MARKED.has(place.kind) || /["'@]/.test(text[place.end] ?? "")) return place;
  const value = withoutQuery(text.slice(place.start, place.end));
  const before = /^[*\x60]{0,3}/.exec(value)![0].length;
  const closing = /[([{]/.test(value) ? /[.,;*\x60]{1,4}$/ : /[.,:;)\]}*\x60]{1,4}$/;
  const behind = closing.exec(value)?.[0].length ?? 0;
  if (value.length - before - behind < 4) return place;
  return { ...place, start: place.start + before, end: place.start + value.length - behind };
}

/** Kinds whose shapes take what follows for a part of the value. */
const MARKED = new Set(["password", "url_password", "bearer"]);

/** Any other word before a "=" may be the password's. */
const FORM_FIELD =
  /^(?:user(?:_?name)?|login|e?mail|grant_type|client_(?:id|secret)|scope|redirect_ur[il]|state|next|submit|action)=/i;

/** `x` of `x&user=bob`, what a form sends; `a&b` may be a password. */
function withoutQuery(value: string): string {
  const [first, ...parameters] = value.split("&");
  return parameters.every((parameter) => FORM_FIELD.test(parameter)) ? first! : value;
}

// ---------------------------------------------------------------------------------------------------------------------
// Tables
// In: Markdown. Out: the cells beside or below one that names a password. Prose has no cells, so a word with a digit is one.
// ---------------------------------------------------------------------------------------------------------------------

interface Cell {
  text: string;
  /** Its offset in the whole text. */
  start: number;
}

/** A cell that says no more than the name, whose it is, and how it is set. */
const cellNaming = (name: string): RegExp =>
  new RegExp(
    String.raw`^[\s*_\x60"']{0,8}[\w ./-]{0,40}${name}(?:\s?\([^()]{1,40}\))?:?[\s*_\x60"']{0,8}$`,
    "i",
  );
const PASSWORD_CELL = cellNaming(LOGIN_NAME);
/** Secrets and tokens have names, and tests pass: of these cells a value has to look made up. */
const KEY_CELL = cellNaming(
  String.raw`(?:${PASS_NAME}|[_-]pass|(?:api|access|account|encryption|secret)[ _-]?key|[a-z][ _-](?:secret|token))`,
);

function judgeBeside({ text }: Cell): Judge | null {
  if (PASSWORD_CELL.test(text)) return isValue;
  return KEY_CELL.test(text) ? isMadeUp : null;
}

function secretsInTables(text: string): Secret[] {
  if (!text.includes("|")) return [];
  const rows = rowsOf(text);
  let columns: (Judge | null)[] = [];
  return rows.flatMap((row, at) => {
    if (row.cells.length === 0) columns = [];
    if (isRule(row)) columns = (rows[at - 1]?.cells ?? []).map(judgeBeside);
    const isHead = isRule(rows[at + 1]);
    return row.cells.flatMap((cell, column) => {
      // A line that does not begin with a bar may be a pipe: echo password | sha256sum.
      const isRow = row.beginsWithBar || columns.length > 0;
      const left = isRow && column > 0 ? judgeBeside(row.cells[column - 1]!) : null;
      // In the head of a table, and in the midst of a row, the next cell is more often of another matter.
      const beside = left && (column > 1 || isHead ? isMadeUp : left);
      return [columns[column], beside].flatMap((judge) => (judge ? secretIn(cell, judge) : []));
    });
  });
}

interface Row {
  /** None where the line is of no table. */
  cells: Cell[];
  beginsWithBar: boolean;
}

/** One a line. An escaped bar is part of its cell. */
function rowsOf(text: string): Row[] {
  let next = 0;
  return text.split("\n").map((line) => {
    let start = next;
    next += line.length + 1;
    const cells = line.split(/(?<!\\)\|/).map((cell): Cell => {
      const place = { text: cell, start };
      start += cell.length + 1;
      return place;
    });
    const beginsWithBar = cells.length > 1 && /^[\s>]*$/.test(cells[0]!.text);
    if (beginsWithBar) cells.shift();
    else if (cells.length === 1) cells.pop();
    return { cells, beginsWithBar };
  });
}

/** Whether it is the line of dashes between a table's head and its body. */
const isRule = (row: Row | undefined): boolean =>
  row !== undefined &&
  row.cells.some(({ text }) => text.includes("-")) &&
  row.cells.every(({ text }) => /^(?::?-+:?)?$/.test(text.trim()));

function secretIn(cell: Cell, judge: Judge): Secret[] {
  const match = /^(\s*[*_\x60"']{0,4})[^\s\x60<"']{6,4096}/.exec(cell.text);
  if (match === null) return [];
  const whole = { kind: "password", start: match[1]!.length, end: match[0].length };
  const { kind, start, end } = withoutMarks(whole, cell.text);
  if (!judge(cell.text.slice(start, end), cell.text.slice(end), "")) return [];
  return [{ kind, start: cell.start + start, end: cell.start + end }];
}

/** Places that overlap as one, of the kind that is given first, in the order of the text. */
function merged(places: Secret[]): Secret[] {
  const ranked = places.map((place, rank) => ({ ...place, rank })).sort((a, b) => a.start - b.start);
  const apart: typeof ranked = [];
  for (const place of ranked) {
    const last = apart.at(-1);
    if (last === undefined || place.start >= last.end) {
      apart.push(place);
      continue;
    }
    if (place.rank < last.rank) Object.assign(last, { kind: place.kind, rank: place.rank });
    last.end = Math.max(last.end, place.end);
  }
  return apart.map(({ kind, start, end }) => ({ kind, start, end }));
}

/** What stands for a secret; taken out of a text by `split`, with what is between. */
const MARKS = /(\[redacted:\w{1,32}\])/;

/** No shape of a secret is shorter: `ab://:x@`. */
const SHORTEST_SHAPE = 8;

/** Secrets shorter than this ("none", "ollama") are words; striking them wherever they stand would spoil the text. */
const MIN_SECRET_CHARS = 8;

/** One of the ways in which a secret is written. */
interface KnownForm {
  kind: string;
  form: string;
  secret: string;
}

/** Up to so many are sooner looked for one by one; most runs know one or two, and most texts hold none. */
const FEW = 16;

/** Any odd number does; this one spreads well (Fowler, Noll and Vo). */
const HASH_BASE = 0x01000193;

/** The hash of each beginning of a text, the empty one first. */
function hashesOf(text: string): Uint32Array {
  const hashes = new Uint32Array(text.length + 1);
  for (let at = 0; at < text.length; at++)
    hashes[at + 1] = Math.imul(hashes[at]!, HASH_BASE) + text.charCodeAt(at);
  return hashes;
}

/**
 * What is known, to be found wherever it stands. One reading of a text finds all of it (Karp and Rabin, 1987), for a reply may
 * hold thousands of secrets: the hash of a place's first characters says how long what begins so may be, and the hash of as many
 * characters what is compared there.
 */
class KnownForms {
  private readonly byForm = new Map<string, KnownForm & { rank: number }>();
  private readonly byHash = new Map<number, (KnownForm & { rank: number })[]>();
  /** By the hash of the first `MIN_SECRET_CHARS`. */
  private readonly lengths = new Map<number, Set<number>>();
  /** `HASH_BASE` to the power of each length. */
  private readonly powers = [1];

  get size(): number {
    return this.byForm.size;
  }

  get(form: string): KnownForm | undefined {
    return this.byForm.get(form);
  }

  /** What is known already stays as it is. */
  add(known: KnownForm): void {
    const { form } = known;
    if (this.byForm.has(form)) return;
    while (this.powers.length <= form.length) this.powers.push(Math.imul(this.powers.at(-1)!, HASH_BASE));
    const ranked = { ...known, rank: this.byForm.size };
    const hashes = hashesOf(form);
    const first = hashes[MIN_SECRET_CHARS]!;
    this.byForm.set(form, ranked);
    this.byHash.set(hashes.at(-1)!, [...(this.byHash.get(hashes.at(-1)!) ?? []), ranked]);
    this.lengths.set(first, (this.lengths.get(first) ?? new Set()).add(form.length));
  }

  /** In the order in which they became known, then in that of the text; two of one form do not overlap. */
  placesIn(text: string): Secret[] {
    const isFew = this.byForm.size <= FEW;
    if (isFew && !this.byForm.keys().some((form) => text.includes(form))) return [];
    const hashes = hashesOf(text);
    const hashAt = (at: number, length: number): number =>
      (hashes[at + length]! - Math.imul(hashes[at]!, this.powers[length]!)) >>> 0;
    const ends = new Map<KnownForm, number>();
    const places: (Secret & { rank: number })[] = [];
    for (let at = 0; at + MIN_SECRET_CHARS <= text.length; at++)
      for (const length of this.lengths.get(hashAt(at, MIN_SECRET_CHARS)) ?? [])
        for (const known of at + length <= text.length ? (this.byHash.get(hashAt(at, length)) ?? []) : []) {
          if (at < (ends.get(known) ?? 0) || !text.startsWith(known.form, at)) continue;
          ends.set(known, at + length);
          places.push({ kind: known.kind, start: at, end: at + length, rank: known.rank });
        }
    return places.sort((a, b) => a.rank - b.rank);
  }
}

/**
 * What one run must not let out: its keys, and every secret seen in a text so far. A secret that the task gives away by
 * its surroundings is thus also struck from an answer that repeats it alone.
 */
export class Secrets {
  /** By how they are written, of which one secret may have several ways. */
  private readonly known = new KnownForms();
  /** The kinds of those that were replaced in a text. */
  private readonly struck = new Map<string, string>();
  /** Texts without any: a row says many of its words again and again. */
  private readonly clean = new Set<string>();

  /** @param keys the run's own, each in all the ways in which it may be written */
  constructor(keys: string[][] = []) {
    for (const forms of keys) for (const form of forms) this.learn("key", form, forms[0]);
  }

  /** How many different secrets of each kind were replaced by `[redacted:<kind>]` so far; marks that were there are none. */
  get counts(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const kind of this.struck.values()) counts[kind] = (counts[kind] ?? 0) + 1;
    return counts;
  }

  /** The text without the run's own keys, whatever stands around them; all else is left whole for `strike`. */
  strikeKeys(text: string): string {
    const keys = this.placesOfKnown(text).filter(({ kind }) => kind === "key");
    return this.replaceAt(merged(keys), text);
  }

  /** The text without what is known and what has the shape of a secret, which is known from now on. */
  strike(text: string): string {
    const left = this.replaceAt(this.placesIn(text), text);
    // Once more where something went: a path without its last part is no path and may have the shape of a secret.
    return left === text ? text : this.strike(left);
  }

  /** What is struck of a text, in its order: what is known and what has the shape of a secret, which is known from now on. */
  placesIn(text: string): Secret[] {
    const found = this.findNew(text);
    for (const { kind, start, end } of found) this.learn(kind, text.slice(start, end));
    return merged([...this.placesOfKnown(text), ...found]);
  }

  private findNew(text: string): Secret[] {
    if (text.length < SHORTEST_SHAPE || this.clean.has(text)) return [];
    const found = findSecrets(text);
    if (found.length === 0) this.clean.add(text);
    return found;
  }

  /** All of them, though one may begin with another: whatever is left of the longer one tells of it. */
  private placesOfKnown(text: string): Secret[] {
    const places: Secret[] = [];
    let from = 0;
    for (const [index, part] of this.known.size > 0 ? text.split(MARKS).entries() : []) {
      // A key may be a word like "redacted".
      const isMark = index % 2 === 1;
      for (const { kind, start, end } of isMark ? [] : this.known.placesIn(part))
        places.push({ kind, start: from + start, end: from + end });
      from += part.length;
    }
    return places;
  }

  private replaceAt(places: Secret[], text: string): string {
    let redacted = "";
    let at = 0;
    for (const { kind, start, end } of places) {
      const form = text.slice(start, end);
      const secret = this.known.get(form)?.secret ?? form;
      if (!this.struck.has(secret)) this.struck.set(secret, kind);
      redacted += `${text.slice(at, start)}[redacted:${kind}]`;
      at = end;
    }
    return redacted + text.slice(at);
  }

  private learn(kind: string, form: string, secret = form): void {
    if (form.length >= MIN_SECRET_CHARS) this.known.add({ kind, form, secret });
  }
}

/** A text without whatever has the shape of a secret, and without every repetition of it. */
export const withoutSecrets = (text: string): string => new Secrets().strike(text);
