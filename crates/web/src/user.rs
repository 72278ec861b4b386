//! Who asks, for the access log and for everybody else who wants a name.

/// The name that a client has proven to have: kept with the request by what authenticates, and written to the access log.
///
/// ```
/// use ropewalk_web::{Request, User};
///
/// fn greeting(request: &Request) -> String {
///     match request.get::<User>() {
///         Some(user) => format!("hello {}", user.name()),
///         None => "hello stranger".to_owned(),
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User(Box<str>);

impl User {
    /// That name.
    pub fn new(name: impl Into<Box<str>>) -> Self {
        Self(name.into())
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.0
    }
}
