//! How does an I/O error say at which address it happened, and keep what the system said?

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;

/// What was tried, where, and what the system said: the `source` has its code.
#[derive(Debug)]
pub(crate) struct AtAddress {
    tried: &'static str,
    address: SocketAddr,
    error: io::Error,
}

impl AtAddress {
    /// An I/O error of the same kind that names the address.
    pub(crate) fn error(tried: &'static str, address: SocketAddr, error: io::Error) -> io::Error {
        io::Error::new(error.kind(), AtAddress { tried, address, error })
    }
}

impl fmt::Display for AtAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.tried, self.address, self.error)
    }
}

impl Error for AtAddress {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_with_an_address_keeps_its_kind_and_the_systems_code() {
        let address = SocketAddr::from(([127, 0, 0, 1], 7));
        let error = AtAddress::error("cannot reach", address, io::Error::from_raw_os_error(24));
        assert!(error.to_string().starts_with("cannot reach 127.0.0.1:7: "));
        let source = error.source().expect("it has one").downcast_ref::<io::Error>();
        assert_eq!(source.and_then(io::Error::raw_os_error), Some(24));
    }
}
