/* Directives of Apache that have no meaning in a proxy but stand in the files that people bring: accepted with a
 * warning; and those that would mean something weir does not do: refused, each with what to write instead, because a
 * line that protects or redirects something must not be passed over. Read by directive.c. Constant. */
#include "config/directive.h"

enum {
    EVERYWHERE = CONTEXT_SERVER | CONTEXT_HOST | CONTEXT_LOCATION | CONTEXT_BALANCER | CONTEXT_USER | CONTEXT_CLASS |
                 CONTEXT_ACCESS,
};

#define ROW(name_, ignored_, section_, refused_)                                                                       \
    {                                                                                                                  \
        .name = (name_), .contexts = EVERYWHERE, .maximum_arguments = MANY_ARGUMENTS, .ignored = (ignored_),           \
        .section = (section_), .refused = (refused_), .syntax = "", .help = ""                                         \
    }
#define IGNORED(name_) ROW(name_, true, false, NULL)
#define IGNORED_SECTION(name_) ROW(name_, true, true, NULL)
#define REFUSED(name_, hint_) ROW(name_, false, false, hint_)
#define REFUSED_SECTION(name_, hint_) ROW(name_, false, true, hint_)

/* clang-format off */
const struct directive directives_ignored[] = {
    /* the server's own files and folders */
    IGNORED("DocumentRoot"), IGNORED("DirectoryIndex"), IGNORED("DirectoryIndexRedirect"), IGNORED("DirectorySlash"),
    IGNORED("DirectoryCheckHandler"), IGNORED("FallbackResource"), IGNORED("AllowOverride"),
    IGNORED("AllowOverrideList"), IGNORED("AccessFileName"), IGNORED("Options"), IGNORED("IndexOptions"),
    IGNORED("IndexIgnore"), IGNORED("IndexIgnoreReset"), IGNORED("IndexOrderDefault"), IGNORED("IndexStyleSheet"),
    IGNORED("IndexHeadInsert"), IGNORED("HeaderName"), IGNORED("ReadmeName"), IGNORED("AddIcon"),
    IGNORED("AddIconByType"), IGNORED("AddIconByEncoding"), IGNORED("AddAlt"), IGNORED("AddAltByType"),
    IGNORED("AddAltByEncoding"), IGNORED("AddDescription"), IGNORED("DefaultIcon"), IGNORED("Alias"),
    IGNORED("AliasMatch"), IGNORED("AliasPreservePath"), IGNORED("ScriptAlias"), IGNORED("ScriptAliasMatch"),
    IGNORED("UserDir"), IGNORED("ServerPath"), IGNORED("FileETag"), IGNORED("EnableMMAP"), IGNORED("EnableSendfile"),
    IGNORED("ContentDigest"), IGNORED("CheckSpelling"), IGNORED("CheckCaseOnly"),

    /* types, languages and handlers of files */
    IGNORED("AddType"), IGNORED("AddHandler"), IGNORED("AddCharset"), IGNORED("AddDefaultCharset"),
    IGNORED("AddEncoding"), IGNORED("AddLanguage"), IGNORED("AddInputFilter"), IGNORED("AddOutputFilter"),
    IGNORED("AddOutputFilterByType"), IGNORED("RemoveType"), IGNORED("RemoveHandler"), IGNORED("RemoveCharset"),
    IGNORED("RemoveEncoding"), IGNORED("RemoveLanguage"), IGNORED("RemoveInputFilter"), IGNORED("RemoveOutputFilter"),
    IGNORED("DefaultType"), IGNORED("DefaultLanguage"), IGNORED("ForceType"), IGNORED("LanguagePriority"),
    IGNORED("ForceLanguagePriority"), IGNORED("TypesConfig"), IGNORED("MimeMagicFile"), IGNORED("ModMimeUsePathInfo"),
    IGNORED("MultiviewsMatch"), IGNORED("CacheNegotiatedDocs"), IGNORED("SetInputFilter"), IGNORED("SetOutputFilter"),
    IGNORED("AcceptPathInfo"), IGNORED("Action"), IGNORED("Script"), IGNORED("ScriptLog"), IGNORED("ScriptLogLength"),
    IGNORED("ScriptLogBuffer"), IGNORED("ScriptSock"), IGNORED("CGIMapExtension"), IGNORED("CGIPassAuth"),
    IGNORED("CGIVar"), IGNORED("XBitHack"), IGNORED("SSIEndTag"), IGNORED("SSIStartTag"), IGNORED("SSIErrorMsg"),
    IGNORED("SSITimeFormat"), IGNORED("SSIUndefinedEcho"), IGNORED("SSIETag"), IGNORED("SSILastModified"),
    IGNORED("SSILegacyExprParser"),

    /* modules and processes */
    IGNORED("LoadModule"), IGNORED("LoadFile"), IGNORED("AddModule"), IGNORED("ClearModuleList"),
    IGNORED("ServerRoot"), IGNORED("ServerAdmin"), IGNORED("ServerTokens"), IGNORED("ServerSignature"),
    IGNORED("ServerType"), IGNORED("ServerLimit"), IGNORED("StartServers"), IGNORED("MinSpareServers"),
    IGNORED("MaxSpareServers"), IGNORED("MinSpareThreads"), IGNORED("MaxSpareThreads"), IGNORED("ThreadsPerChild"),
    IGNORED("ThreadLimit"), IGNORED("ThreadStackSize"), IGNORED("MaxClients"), IGNORED("MaxRequestWorkers"),
    IGNORED("MaxRequestsPerChild"), IGNORED("MaxConnectionsPerChild"), IGNORED("MaxMemFree"),
    IGNORED("AsyncRequestWorkerFactor"), IGNORED("Mutex"), IGNORED("AcceptMutex"), IGNORED("LockFile"),
    IGNORED("AcceptFilter"), IGNORED("ListenBacklog"), IGNORED("ListenCoresBucketsRatio"), IGNORED("SendBufferSize"),
    IGNORED("ReceiveBufferSize"), IGNORED("CoreDumpDirectory"), IGNORED("ScoreBoardFile"),
    IGNORED("DefaultRuntimeDir"), IGNORED("EnableExceptionHook"), IGNORED("ExtendedStatus"),
    IGNORED("SeeRequestTail"), IGNORED("RLimitCPU"), IGNORED("RLimitMEM"), IGNORED("RLimitNPROC"),
    IGNORED("ChrootDir"), IGNORED("SuexecUserGroup"), IGNORED("NameVirtualHost"), IGNORED("UseCanonicalName"),
    IGNORED("UseCanonicalPhysicalPort"), IGNORED("HostnameLookups"), IGNORED("IdentityCheck"),
    IGNORED("IdentityCheckTimeout"), IGNORED("Protocol"), IGNORED("Protocols"), IGNORED("ProtocolsHonorOrder"),
    IGNORED("H2Direct"), IGNORED("H2Push"), IGNORED("H2Upgrade"), IGNORED("H2ModernTLSOnly"),
    IGNORED("H2MaxSessionStreams"), IGNORED("H2WindowSize"), IGNORED("H2MinWorkers"), IGNORED("H2MaxWorkers"),
    IGNORED("H2StreamMaxMemSize"), IGNORED("H2PushPriority"), IGNORED("MergeTrailers"), IGNORED("MergeSlashes"),
    IGNORED("QualifyRedirectURL"), IGNORED("RegisterHttpMethod"), IGNORED("LimitInternalRecursion"),
    IGNORED("LimitXMLRequestBody"), IGNORED("MaxRanges"), IGNORED("MaxRangeOverlaps"), IGNORED("MaxRangeReversals"),
    IGNORED("ErrorLogFormat"), IGNORED("CookieLog"), IGNORED("BufferedLogs"), IGNORED("GlobalLog"),
    IGNORED("LogIOTrackTTFB"), IGNORED("ForensicLog"), IGNORED("ReflectorHeader"), IGNORED("StrictHostCheck"),
    IGNORED("Warning"),

    /* rewriting, variables and logins, which stay with the origin */
    IGNORED("RewriteEngine"), IGNORED("RewriteRule"), IGNORED("RewriteCond"), IGNORED("RewriteBase"),
    IGNORED("RewriteOptions"), IGNORED("RewriteMap"), IGNORED("RewriteLog"), IGNORED("RewriteLogLevel"),
    IGNORED("SetEnv"), IGNORED("SetEnvIf"), IGNORED("SetEnvIfNoCase"), IGNORED("SetEnvIfExpr"), IGNORED("UnsetEnv"),
    IGNORED("PassEnv"), IGNORED("BrowserMatch"), IGNORED("BrowserMatchNoCase"), IGNORED("AuthType"),
    IGNORED("AuthName"), IGNORED("AuthUserFile"), IGNORED("AuthGroupFile"), IGNORED("AuthBasicProvider"),
    IGNORED("AuthBasicAuthoritative"), IGNORED("AuthBasicFake"), IGNORED("AuthDigestProvider"),
    IGNORED("AuthDigestDomain"), IGNORED("AuthDigestAlgorithm"), IGNORED("AuthDigestNonceLifetime"),
    IGNORED("AuthDigestQop"), IGNORED("AuthMerging"), IGNORED("AuthzSendForbiddenOnFailure"), IGNORED("AuthLDAPURL"),
    IGNORED("AuthLDAPBindDN"), IGNORED("AuthLDAPBindPassword"), IGNORED("AuthDBDUserPWQuery"), IGNORED("Satisfy"),
    IGNORED("php_value"), IGNORED("php_flag"), IGNORED("php_admin_value"), IGNORED("php_admin_flag"),
    IGNORED("PHPIniDir"), IGNORED("WSGIScriptAlias"), IGNORED("WSGIDaemonProcess"), IGNORED("WSGIProcessGroup"),
    IGNORED("WSGIApplicationGroup"), IGNORED("WSGIPythonPath"), IGNORED("PassengerEnabled"), IGNORED("PassengerRoot"),
    IGNORED("PassengerRuby"), IGNORED("FcgidMaxRequestLen"), IGNORED("PerlModule"), IGNORED("PerlRequire"),
    IGNORED("SecRuleEngine"), IGNORED("SecRequestBodyAccess"),

    /* compression, caching and expiry */
    IGNORED("DeflateCompressionLevel"), IGNORED("DeflateBufferSize"), IGNORED("DeflateFilterNote"),
    IGNORED("DeflateMemLevel"), IGNORED("DeflateWindowSize"), IGNORED("DeflateInflateLimitRequestBody"),
    IGNORED("BrotliCompressionQuality"), IGNORED("BrotliCompressionWindow"), IGNORED("BrotliFilterNote"),
    IGNORED("FilterDeclare"), IGNORED("FilterProvider"), IGNORED("FilterChain"), IGNORED("FilterProtocol"),
    IGNORED("ExpiresActive"), IGNORED("ExpiresByType"), IGNORED("ExpiresDefault"), IGNORED("CacheEnable"),
    IGNORED("CacheDisable"), IGNORED("CacheRoot"), IGNORED("CacheDirLevels"), IGNORED("CacheDirLength"),
    IGNORED("CacheDefaultExpire"), IGNORED("CacheMaxExpire"), IGNORED("CacheMinExpire"),
    IGNORED("CacheIgnoreHeaders"), IGNORED("CacheIgnoreCacheControl"), IGNORED("CacheIgnoreNoLastMod"),
    IGNORED("CacheIgnoreURLSessionIdentifiers"), IGNORED("CacheLock"), IGNORED("CacheLockPath"),
    IGNORED("CacheLockMaxAge"), IGNORED("CacheQuickHandler"), IGNORED("CacheMaxFileSize"),
    IGNORED("CacheMinFileSize"), IGNORED("CacheHeader"), IGNORED("CacheDetailHeader"), IGNORED("CacheKeyBaseURL"),
    IGNORED("CacheStoreNoStore"), IGNORED("CacheStorePrivate"), IGNORED("CacheStoreExpired"), IGNORED("CacheSocache"),
    IGNORED("KeptBodySize"), IGNORED("MetaDir"), IGNORED("MetaFiles"), IGNORED("MetaSuffix"), IGNORED("ModPagespeed"),

    /* details of Apache's proxy */
    IGNORED("ProxyBadHeader"), IGNORED("ProxyErrorOverride"), IGNORED("ProxyIOBufferSize"),
    IGNORED("ProxyReceiveBufferSize"), IGNORED("ProxyMaxForwards"), IGNORED("ProxyStatus"), IGNORED("ProxyDomain"),
    IGNORED("ProxyPassInherit"), IGNORED("ProxyPassInterpolateEnv"), IGNORED("ProxyPassReverseInterpolateEnv"),
    IGNORED("BalancerGrowth"), IGNORED("BalancerInherit"), IGNORED("BalancerPersist"), IGNORED("ProxySCGISendfile"),
    IGNORED("ProxyHTMLEnable"), IGNORED("ProxyHTMLURLMap"), IGNORED("ProxyHTMLLinks"), IGNORED("ProxyHTMLEvents"),
    IGNORED("ProxyHTMLExtended"), IGNORED("ProxyHTMLDocType"), IGNORED("ProxyHTMLMeta"), IGNORED("ProxyHTMLInterp"),
    IGNORED("ProxyHTMLCharsetOut"), IGNORED("ProxyHTMLBufSize"), IGNORED("ProxyHCTemplate"), IGNORED("ProxyHCTPsize"),
    IGNORED("ProxyHCExpr"), IGNORED("ProxyWebsocketFallbackToProxyHttp"), IGNORED("ProxyWebsocketIdleTimeout"),
    IGNORED("ProxyFCGIBackendType"), IGNORED("ProxyFtpDirCharset"), IGNORED("ProxyFtpEscapeWildcards"),
    IGNORED("ProxyFtpListOnWildcard"), IGNORED("ProxyExpressEnable"), IGNORED("ProxyExpressDBMFile"),
    IGNORED("RemoteIPProxiesHeader"),

    /* details of Apache's TLS */
    IGNORED("SSLSessionCache"), IGNORED("SSLSessionCacheTimeout"), IGNORED("SSLMutex"), IGNORED("SSLRandomSeed"),
    IGNORED("SSLPassPhraseDialog"), IGNORED("SSLOptions"), IGNORED("SSLStaplingCache"),
    IGNORED("SSLStaplingResponderTimeout"), IGNORED("SSLStaplingReturnResponderErrors"),
    IGNORED("SSLStaplingStandardCacheTimeout"), IGNORED("SSLStaplingErrorCacheTimeout"),
    IGNORED("SSLStaplingResponseMaxAge"), IGNORED("SSLStaplingResponseTimeSkew"), IGNORED("SSLStaplingFakeTryLater"),
    IGNORED("SSLStaplingForceURL"), IGNORED("SSLCryptoDevice"), IGNORED("SSLUserName"), IGNORED("SSLRenegBufferSize"),
    IGNORED("SSLCompression"), IGNORED("SSLInsecureRenegotiation"), IGNORED("SSLOpenSSLConfCmd"), IGNORED("SSLFIPS"),
    IGNORED("SSLStrictSNIVHostCheck"), IGNORED("SSLVHostSNIPolicy"), IGNORED("SSLProxyCheckPeerExpire"),
    IGNORED("SSLProxyCheckPeerCN"),

    /* sections, with all that stands in them */
    IGNORED_SECTION("Directory"), IGNORED_SECTION("DirectoryMatch"), IGNORED_SECTION("Files"), IGNORED_SECTION("FilesMatch"), IGNORED_SECTION("Perl"),

    /* what must not be passed over */
    REFUSED("RemoteIPProxyProtocol", "write Listen [address:]port proxy-protocol"),
    REFUSED("RemoteIPProxyProtocolExceptions", "write Listen [address:]port proxy-protocol where a PROXY header comes"),
    REFUSED("RemoteIPTrustedProxyList", "write the addresses into RemoteIPTrustedProxy"),
    REFUSED("RemoteIPInternalProxyList", "write the addresses into RemoteIPInternalProxy"),
    REFUSED("ProxyRemote", "weir talks to origins itself; write ProxyPass path url"),
    REFUSED("ProxyRemoteMatch", "weir talks to origins itself; write ProxyPass path url"),
    REFUSED("ProxyBlock", "weir is no forward proxy; write <Location path> with Require all denied"),
    REFUSED("NoProxy", "weir is no forward proxy; write ProxyPass path !"),
    REFUSED("ProxySourceAddress", "leave it out: the system chooses the address that origins see"),
    REFUSED("AllowCONNECT", "weir refuses CONNECT"),
    REFUSED("SSLRequireSSL", "write Redirect / https://... in the host on the plain port"),
    REFUSED("SSLRequire", "write Require ip or Require all denied"),
    REFUSED("SSLCARevocationFile", "give clients certificates of a short life, or let the origin check revocation"),
    REFUSED("SSLCARevocationPath", "give clients certificates of a short life, or let the origin check revocation"),
    REFUSED("SSLCARevocationCheck", "give clients certificates of a short life, or let the origin check revocation"),
    REFUSED("SSLProxyCARevocationFile", "leave it out: weir does not check the revocation of origins"),
    REFUSED("SSLProxyCARevocationPath", "leave it out: weir does not check the revocation of origins"),
    REFUSED("SSLProxyCARevocationCheck", "leave it out: weir does not check the revocation of origins"),
    REFUSED("Use", "write the lines of the macro out, or put them into a file and Include it"),
    REFUSED("UndefMacro", "write the lines of the macro out, or put them into a file and Include it"),
    REFUSED("BandWidth", "write CBandSpeed and CBandRemoteSpeed"),
    REFUSED("BandWidthModule", "write CBandSpeed and CBandRemoteSpeed"),
    REFUSED("MaxConnection", "write CBandSpeed or CBandRemoteSpeed with a number of connections"),
    REFUSED_SECTION("Macro", "write the lines of the macro out, or put them into a file and Include it"),
    REFUSED_SECTION("If", "write <Location> or <LocationMatch>: weir has no expressions"),
    REFUSED_SECTION("ElseIf", "write <Location> or <LocationMatch>: weir has no expressions"),
    REFUSED_SECTION("Else", "write <Location> or <LocationMatch>: weir has no expressions"),
    REFUSED_SECTION("Limit", "write <RequireAll> with Require method"),
    REFUSED_SECTION("LimitExcept", "write <RequireAny> with Require method"),
    REFUSED_SECTION("ProxyMatch", "write <LocationMatch pattern> for rules about paths"),
    REFUSED_SECTION("AuthnProviderAlias", "let the origin check passwords"),
    REFUSED_SECTION("AuthzProviderAlias", "let the origin check passwords"),
};
/* clang-format on */
const size_t directives_ignored_count = sizeof directives_ignored / sizeof directives_ignored[0];
