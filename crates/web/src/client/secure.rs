//! TLS for the connections of an agent.

use ropewalk_core::Factory;

use super::agent_error::AgentProblem;

#[cfg(feature = "tls")]
pub(super) use self::with::Secure;
#[cfg(not(feature = "tls"))]
pub(super) use self::without::Secure;

#[cfg(feature = "tls")]
mod with {
    use std::cell::OnceCell;

    use ropewalk_tls::{ClientOptions, Roots, TlsClient, TlsError, TlsFactory};

    use super::{AgentProblem, Factory};

    /// The client's side of TLS, made when it is first needed, as the roots of the machine are many.
    #[derive(Clone, Debug, Default)]
    pub(in super::super) struct Secure(OnceCell<TlsClient>);

    impl Secure {
        pub(in super::super) fn new(options: ClientOptions) -> Result<Self, TlsError> {
            let client = TlsClient::new(options.alpn(["http/1.1"]))?;
            Ok(Self(OnceCell::from(client)))
        }

        /// Puts TLS below the layers of `factory`; the certificate must be for `host`.
        pub(in super::super) fn wrap(
            &self,
            host: &str,
            factory: Box<dyn Factory>,
        ) -> Result<Box<dyn Factory>, AgentProblem> {
            let problem = |error: TlsError| AgentProblem::Tls(error.to_string());
            let client = match self.0.get() {
                Some(client) => client,
                None => {
                    let options = ClientOptions::new(Roots::platform().map_err(problem)?);
                    let client = TlsClient::new(options.alpn(["http/1.1"])).map_err(problem)?;
                    self.0.get_or_init(|| client)
                }
            };
            let factory = TlsFactory::client(client, host, factory).map_err(problem)?;
            Ok(Box::new(factory))
        }
    }
}

#[cfg(not(feature = "tls"))]
mod without {
    use super::{AgentProblem, Factory};

    /// There is no TLS in this program.
    #[derive(Clone, Debug, Default)]
    pub(in super::super) struct Secure(());

    impl Secure {
        pub(in super::super) fn wrap(
            &self,
            _host: &str,
            _factory: Box<dyn Factory>,
        ) -> Result<Box<dyn Factory>, AgentProblem> {
            let why =
                "https needs TLS, which is not in this program; build it with the feature tls";
            Err(AgentProblem::Tls(why.to_owned()))
        }
    }
}
