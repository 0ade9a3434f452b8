import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"

// A project file comes with a cloned repository: it must not change which programs run, how they load code, or which
// server portctl asks.
const shells = ["PATH", "HOME", "SHELL", "ENV", "IFS", "CDPATH", "FPATH", "ZDOTDIR", "SHELLOPTS", "INPUTRC", "TERMCAP"]
// zsh ties each name in lower case to the one in upper case.
const zsh = ["path", "fpath", "cdpath", "mailpath", "module_path", "MODULE_PATH", "prompt", "NULLCMD", "READNULLCMD"]
// What they contain is expanded.
const prompts = [
  "PS0",
  "PS1",
  "PS2",
  "PS3",
  "PS4",
  "PROMPT",
  "PROMPT2",
  "PROMPT3",
  "PROMPT4",
  "RPS1",
  "RPS2",
  "MAIL",
  "MAILPATH",
  "MAILCHECK"
]
// bash computes the values of the first four, with the commands in them; it writes HISTFILE, and cannot set the last three.
const states = ["RANDOM", "SRANDOM", "HISTCMD", "OPTIND", "HISTFILE", "TMOUT", "UID", "EUID", "PPID"]
const runtimes = ["NODE_OPTIONS", "NODE_PATH", "CLASSPATH", "PHPRC", "PHP_INI_SCAN_DIR", "DOTNET_STARTUP_HOOKS"]
const dotnet = ["DOTNET_ADDITIONAL_DEPS", "DOTNET_SHARED_STORE", "DOTNET_ROOT"]
const java = ["JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"]
const started = [
  "PAGER",
  "MANPAGER",
  "LESSOPEN",
  "LESSCLOSE",
  "EDITOR",
  "VISUAL",
  "FCEDIT",
  "BROWSER",
  "VIMINIT",
  "EXINIT"
]
const javaBuilds = ["JAVA_HOME", "JAVA_OPTS", "MAVEN_OPTS", "MAVEN_ARGS", "GRADLE_OPTS", "SBT_OPTS", "ANT_OPTS"]
const nodes = ["NODE_EXTRA_CA_CERTS", "NODE_REPL_EXTERNAL_MODULE", "NODE_TLS_REJECT_UNAUTHORIZED", "BUN_OPTIONS"]
const go = ["GOENV", "GOFLAGS", "GOPROXY", "GOROOT", "GOTOOLCHAIN"]
const compilers = ["CC", "CXX", "CPP", "LD", "CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "RUSTFLAGS", "RUSTDOCFLAGS"]
const erlang = ["ERL_FLAGS", "ERL_AFLAGS", "ERL_ZFLAGS"]
// Docker's configuration has plugins, and others name programs that give credentials.
const docker = ["DOCKER_CONFIG", "DOCKER_CONTEXT", "DOCKER_HOST", "CONTAINERS_CONF", "CONTAINER_HOST"]
const clouds = ["KUBECONFIG", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "GNUPGHOME"]
const tools = [
  "TAR_OPTIONS",
  "RSYNC_RSH",
  "CVS_RSH",
  "SVN_SSH",
  "HGRCPATH",
  "PSQLRC",
  "MYSQL_HOME",
  "RIPGREP_CONFIG_PATH",
  "WGETRC",
  "CURL_HOME"
]
const certificates = ["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSLKEYLOGFILE"]
const others = ["MAKEFLAGS", "MAKEFILES", "SSH_ASKPASS", "SUDO_ASKPASS", "GCONV_PATH", "LOCPATH", "GLIBC_TUNABLES"]
const reserved = [
  ...[...shells, ...zsh, ...prompts, ...states, ...runtimes, ...dotnet, ...java, ...started, ...javaBuilds, ...nodes],
  ...[...go, ...compilers, ...erlang, ...docker, ...clouds, ...tools, ...certificates, ...others]
]
const libraries = [
  "LD_",
  "DYLD_",
  "PYTHON",
  "PERL5",
  "PERLLIB",
  "PERLIO",
  "RUBYOPT",
  "RUBYLIB",
  "RUBYPATH",
  "RUBYSHELL",
  "LUA_",
  "R_PROFILE",
  "R_ENVIRON",
  "OPENSSL_"
]
const shellPrefixes = ["BASH_", "BASHOPTS", "PROMPT_", "RPROMPT", "SPROMPT", "TERMINFO", "FZF_"]
const settings = [
  ...["GIT_", "PORTCTL_", "PORT_SERVER_", "COMPOSE_", "COREPACK_"],
  ...["CARGO_", "RUSTC_", "RUSTUP_", "PIP_", "UV_", "BUNDLE_", "GEM_", "COMPOSER_", "XDG_"]
]
const reservedPrefixes = [...libraries, ...shellPrefixes, ...settings]

/** A pattern for a text in whichever case its letters are. */
const inAnyCase = (text: string): string => text.replace(/[a-z]/g, (letter) => `[${letter.toUpperCase()}${letter}]`)

// npm, Yarn and Python take these in any case.
const anyCase = ["npm_config_", "yarn_", "http_proxy$", "https_proxy$", "all_proxy$", "ftp_proxy$", "no_proxy$"]

/** Names of programs that others start: `AWS_PAGER`, `PSQL_EDITOR`. */
const startedBy = "[A-Z]+_(?:PAGER|EDITOR|BROWSER|ASKPASS)$"

// What a service called ruby or git-server gets, which is a number.
const ofService = "(?!PORTCTL_|PORT_SERVER_|NPM_CONFIG_)(?:[A-Z0-9]+_)+PORT$"

const refusedPatterns = [`(?:${reserved.join("|")})$`, ...reservedPrefixes, ...anyCase.map(inAnyCase), startedBy]
const refused = `(?!${ofService})(?:${refusedPatterns.join("|")})`
const refusedName = new RegExp(`^${refused}`)

/** What is wrong with the name of a variable that a project file sets, if anything. */
export const nameProblem = (name: string): string | undefined => {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return "must be the name of a variable, like PORT or DB_PORT"
  return refusedName.test(name) ? `must not be ${name}: a project file cannot set that variable` : undefined
}

/** The JSON Schema of the name of a variable that a project file may set. */
export const nameJsonSchema = { pattern: `^(?!${refused})[A-Za-z_][A-Za-z0-9_]*$` }

const VariableName = Schema.String.pipe(
  Schema.filter((name) => nameProblem(name) === undefined, {
    identifier: "VariableName",
    description: "an environment variable, but none that changes how programs are found or loaded",
    examples: ["PORT", "PGPORT"],
    jsonSchema: nameJsonSchema
  })
)

/** Most variables that carry one port. */
const maxNames = 64

const listSentence = 'env must be the name of a variable, or a list of names like ["PORT", "VITE_PORT"]'

/** What is wrong with the names of variables, in one sentence. */
const sentenceOf = (names: unknown): string => {
  const list: ReadonlyArray<unknown> = Array.isArray(names) ? names : [names]
  if (list.length === 0 || !list.every(Predicate.isString)) return listSentence
  if (list.length > maxNames) return `env must be at most ${maxNames} names, not ${list.length}`
  const problem = list.map(nameProblem).find(Predicate.isNotUndefined)
  return problem === undefined ? listSentence : `env ${problem}`
}

/** The environment variable that carries a port, or a list of them. */
export const VariableNames = Schema.Union(
  VariableName,
  Schema.NonEmptyArray(VariableName)
    .pipe(Schema.maxItems(maxNames))
    .annotations({ description: "several variables that carry the same port" })
).annotations({ message: ({ actual }) => ({ message: sentenceOf(actual), override: true }) })
