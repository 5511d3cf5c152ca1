/* The SSL* directives: Apache's grammar, what hosts inherit, and messages. */
#include "loaded.h"

#define HOST(lines) "<VirtualHost *:443>\n" lines "</VirtualHost>\n"

static void test_host(void) {
    struct loaded loaded =
        load_text(HOST("SSLEngine on\nSSLCertificateKeyFile rsa.key\nSSLCertificateFile rsa.pem\n"
                       "SSLCertificateFile /keys/ecdsa.pem\nSSLCertificateKeyFile /keys/ecdsa.key\n"
                       "SSLCertificateChainFile chain.pem\nSSLProtocol all -SSLv3 -TLSv1 -TLSv1.1 -TLSv1.2\n"
                       "SSLCipherSuite HIGH:!aNULL\nSSLCipherSuite TLSv1.3 TLS_AES_256_GCM_SHA384\n"
                       "SSLHonorCipherOrder on\nSSLUseStapling on\nSSLStaplingFile ocsp.der\nSSLSessionTickets off\n"
                       "SSLSessionTicketKeyFile ticket.key\nSSLVerifyClient require\nSSLVerifyDepth 3\n"
                       "SSLCACertificateFile ca.pem\nSSLCACertificatePath cas\n"));
    check_clean(&loaded);
    const struct tls_server *tls = &loaded.config->hosts[1]->tls;
    CU_ASSERT_TRUE(tls->engine && tls->honor_cipher_order && tls->use_stapling && !tls->session_tickets);
    CU_ASSERT_EQUAL_FATAL(tls->certificate_count, 2);
    CU_ASSERT_STRING_EQUAL(tls->certificates[0].certificate_file, "/etc/weir/rsa.pem");
    CU_ASSERT_STRING_EQUAL(tls->certificates[0].key_file, "/etc/weir/rsa.key");
    CU_ASSERT_STRING_EQUAL(tls->certificates[1].certificate_file, "/keys/ecdsa.pem");
    CU_ASSERT_STRING_EQUAL(tls->certificates[1].key_file, "/keys/ecdsa.key");
    CU_ASSERT_STRING_EQUAL(tls->chain_file, "/etc/weir/chain.pem");
    CU_ASSERT_EQUAL(tls->protocols, TLS_PROTOCOL_1_3);
    CU_ASSERT_STRING_EQUAL(tls->ciphers, "HIGH:!aNULL");
    CU_ASSERT_STRING_EQUAL(tls->ciphersuites, "TLS_AES_256_GCM_SHA384");
    CU_ASSERT_STRING_EQUAL(tls->stapling_file, "/etc/weir/ocsp.der");
    CU_ASSERT_STRING_EQUAL(tls->ticket_key_file, "/etc/weir/ticket.key");
    CU_ASSERT_EQUAL(tls->verify, TLS_VERIFY_REQUIRE);
    CU_ASSERT_EQUAL(tls->verify_depth, 3);
    CU_ASSERT_STRING_EQUAL(tls->ca_file, "/etc/weir/ca.pem");
    CU_ASSERT_STRING_EQUAL(tls->ca_path, "/etc/weir/cas");
    unload(&loaded);
}

static void test_defaults(void) {
    struct loaded loaded = load_text(HOST("SSLEngine On\nSSLCertificateFile a.pem\n"));
    check_clean(&loaded);
    const struct tls_server *tls = &loaded.config->hosts[1]->tls;
    CU_ASSERT_EQUAL(tls->protocols, TLS_PROTOCOL_ALL);
    CU_ASSERT_TRUE(tls->session_tickets);
    CU_ASSERT_EQUAL(tls->verify, TLS_VERIFY_NONE);
    CU_ASSERT_PTR_NULL(tls->certificates[0].key_file);
    CU_ASSERT_PTR_NULL(tls->ciphers);
    const struct tls_client *client = &loaded.config->hosts[1]->tls_proxy;
    CU_ASSERT_FALSE(client->engine);
    CU_ASSERT_EQUAL(client->verify, TLS_VERIFY_REQUIRE);
    CU_ASSERT_TRUE(client->check_peer_name);
    CU_ASSERT_EQUAL(client->protocols, TLS_PROTOCOL_ALL);
    CU_ASSERT_FALSE(loaded.config->hosts[0]->tls.engine);
    unload(&loaded);
}

static void test_inheritance(void) {
    struct loaded loaded =
        load_text(HOST("SSLEngine On\nSSLCipherSuite HIGH\n")
                      HOST("SSLEngine On\nSSLCertificateFile own.pem\nSSLProtocol TLSv1.3\n"
                           "SSLProxyVerify none\n")
                          HOST("") "SSLCertificateFile main.pem\nSSLCertificateKeyFile main.key\n"
                                   "SSLCertificateChainFile chain.pem\nSSLProtocol -all +TLSv1.2\nSSLCipherSuite AES\n"
                                   "SSLProxyEngine on\nSSLProxyCACertificateFile ca.pem\n"
                                   "SSLProxyMachineCertificateFile me.pem\nSSLProxyCheckPeerName off\n"
                                   "SSLProxyVerifyDepth 2\nSSLProxyProtocol TLSv1.2\nSSLProxyCipherSuite HIGH\n"
                                   "SSLProxyCACertificatePath cas\n");
    check_clean(&loaded);
    const struct virtual_host *const *hosts = loaded.config->hosts;
    CU_ASSERT_EQUAL_FATAL(hosts[1]->tls.certificate_count, 1);
    CU_ASSERT_STRING_EQUAL(hosts[1]->tls.certificates[0].key_file, "/etc/weir/main.key");
    CU_ASSERT_STRING_EQUAL(hosts[1]->tls.chain_file, "/etc/weir/chain.pem");
    CU_ASSERT_STRING_EQUAL(hosts[1]->tls.ciphers, "HIGH");
    CU_ASSERT_EQUAL(hosts[1]->tls.protocols, TLS_PROTOCOL_1_2);
    CU_ASSERT_EQUAL_FATAL(hosts[2]->tls.certificate_count, 1);
    CU_ASSERT_STRING_EQUAL(hosts[2]->tls.certificates[0].certificate_file, "/etc/weir/own.pem");
    CU_ASSERT_PTR_NULL(hosts[2]->tls.certificates[0].key_file);
    CU_ASSERT_PTR_NULL(hosts[2]->tls.chain_file);
    CU_ASSERT_EQUAL(hosts[2]->tls.protocols, TLS_PROTOCOL_1_3);
    CU_ASSERT_STRING_EQUAL(hosts[2]->tls.ciphers, "AES");
    CU_ASSERT_FALSE(hosts[3]->tls.engine);
    CU_ASSERT_EQUAL(hosts[2]->tls_proxy.verify, TLS_VERIFY_NONE);
    const struct tls_client *client = &hosts[1]->tls_proxy;
    CU_ASSERT_TRUE(client->engine && !client->check_peer_name);
    CU_ASSERT_EQUAL(client->verify, TLS_VERIFY_REQUIRE);
    CU_ASSERT_EQUAL(client->verify_depth, 2);
    CU_ASSERT_EQUAL(client->protocols, TLS_PROTOCOL_1_2);
    CU_ASSERT_STRING_EQUAL(client->ciphers, "HIGH");
    CU_ASSERT_STRING_EQUAL(client->ca_file, "/etc/weir/ca.pem");
    CU_ASSERT_STRING_EQUAL(client->ca_path, "/etc/weir/cas");
    CU_ASSERT_STRING_EQUAL(client->machine_certificate_file, "/etc/weir/me.pem");
    unload(&loaded);
}

static void test_protocols(void) {
    static const struct {
        const char *line;
        uint32_t protocols;
        const char *part; /* of the only message */
    } vectors[] = {
        {"SSLProtocol all\n", TLS_PROTOCOL_ALL, NULL},
        {"SSLProtocol all -SSLv2 -SSLv3\n", TLS_PROTOCOL_ALL, NULL},
        {"SSLProtocol ALL -tlsv1.3\n", TLS_PROTOCOL_1_2, NULL},
        {"SSLProtocol -all +TLSv1.2 +TLSv1.3\n", TLS_PROTOCOL_ALL, NULL},
        {"SSLProtocol TLSv1.3\n", TLS_PROTOCOL_1_3, NULL},
        {"SSLProtocol +TLSv1.1 +TLSv1.2\n", TLS_PROTOCOL_1_2, "warning: SSLProtocol: \"+TLSv1.1\" has no effect"},
        {"SSLProtocol TLSv1.2 TLSv1.3\n", TLS_PROTOCOL_1_3, "warning: SSLProtocol: \"TLSv1.3\" without a sign"},
        {"SSLProtocol -all\n", TLS_PROTOCOL_ALL, "error: SSLProtocol: no version of TLS is left"},
        {"SSLProtocol all TLSv9\n", TLS_PROTOCOL_ALL, "error: SSLProtocol: \"TLSv9\" is not a protocol"},
    };
    for (size_t i = 0; i < COUNT(vectors); i++) {
        struct loaded loaded = load_text(vectors[i].line);
        CU_ASSERT_EQUAL(loaded.config->hosts[0]->tls.protocols, vectors[i].protocols);
        CU_ASSERT_EQUAL(loaded.diagnostics->count, vectors[i].part != NULL);
        CU_ASSERT_TRUE(vectors[i].part == NULL || has_message(&loaded, vectors[i].part));
        unload(&loaded);
    }
}

static void test_messages(void) {
    static const struct message_vector vectors[] = {
        {HOST("SSLEngine On\n"), "2: error: SSLEngine: the host \"\" is served over TLS and has no certificate"},
        {HOST("SSLEngine optional\n"), "2: error: SSLEngine: changing to TLS"},
        {HOST("SSLCertificateKeyFile a\n"),
         "error: SSLCertificateKeyFile: there are more keys (1) than certificates (0)"},
        {HOST("SSLEngine On\nSSLCertificateFile a\nSSLVerifyClient optional\n"),
         "4: error: SSLVerifyClient: there is no authority"},
        {HOST("SSLEngine On\nSSLCertificateFile a\nSSLUseStapling On\n"),
         "warning: SSLUseStapling: has no effect without SSLStaplingFile"},
        {"SSLVerifyClient optional_no_ca\n", "1: error: SSLVerifyClient: a certificate that nobody checks"},
        {"SSLVerifyClient yes\n", "(write none, optional or require)"},
        {"SSLVerifyDepth 101\n", "1: error: SSLVerifyDepth: \"101\" is too large"},
        {"SSLCipherSuite TLSv1.2 HIGH\n", "1: error: SSLCipherSuite: \"TLSv1.2\" is not a protocol that has"},
        {"SSLCipherSuite SSL HIGH\n", NULL},
        {"SSLCipherSuite \"HIGH MEDIUM\"\n", "1: error: SSLCipherSuite: \"HIGH MEDIUM\" is not a list"},
        {"SSLProxyCheckPeerName maybe\n", "1: error: SSLProxyCheckPeerName: \"maybe\" is neither On nor Off"},
        {"SSLCertificateFile \"\"\n", "1: error: SSLCertificateFile: the path is empty"},
        {"SSLEngine Off\nSSLEngine Off\n", "2: warning: SSLEngine: was given before"},
        {"SSLProxyProtocol -all\n", "error: SSLProxyProtocol: no version of TLS is left"},
    };
    CHECK_MESSAGES(vectors);
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("directives_tls", NULL, NULL);
    CU_add_test(suite, "a host", test_host);
    CU_add_test(suite, "defaults", test_defaults);
    CU_add_test(suite, "inheritance", test_inheritance);
    CU_add_test(suite, "protocols", test_protocols);
    CU_add_test(suite, "messages", test_messages);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? 0 : 1;
}
