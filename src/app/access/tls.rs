//! The certificate of the API, and its key.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use crate::app::error::ErrorText;
use crate::files;
use crate::settings::admin::AdminTls;

/// A larger file is no certificate and no key.
const LARGEST_FILE: u64 = 1 << 20;

/// What the API proves itself with. The key is the certificate's, or this is an error.
pub(super) fn config(files: &AdminTls) -> Result<ServerConfig, ErrorText> {
    let chain = pem(&files.cert, "admin.tls.cert")?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&chain).collect();
    let chain = chain.unwrap_or_default();
    if chain.is_empty() {
        let what = format!(
            "`admin.tls.cert`: {} holds no certificate in PEM",
            files.cert.display()
        );
        return Err(
            text(what).advise("name the PEM file with the certificate and those between it and its root")
        );
    }
    let key = pem(&files.key, "admin.tls.key")?;
    let key = PrivateKeyDer::from_pem_slice(&key).map_err(|_| {
        let what = format!(
            "`admin.tls.key`: {} holds no private key in PEM",
            files.key.display()
        );
        text(what).advise("name the PEM file with the certificate's key; an encrypted one is not read")
    })?;
    let provider = Arc::new(ring::default_provider());
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|cause| {
            let shown = ErrorText {
                causes: vec![cause.to_string()],
                ..text("`admin.tls`: this certificate and this key do not go together".to_owned())
            };
            shown.advise("name a certificate and the key that it was made for")
        })
}

fn pem(path: &Path, key: &str) -> Result<Vec<u8>, ErrorText> {
    files::read_limited(path, LARGEST_FILE).map_err(|cause| {
        let shown = ErrorText {
            causes: vec![cause.to_string()],
            ..text(format!("`{key}`: cannot read the file {}", path.display()))
        };
        shown.advise("check the path, and that melonsync's user may read it")
    })
}

fn text(what: String) -> ErrorText {
    ErrorText {
        what,
        ..ErrorText::default()
    }
}
