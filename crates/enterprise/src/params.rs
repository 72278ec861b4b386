//! What can be given as the parameters of a statement.

use crate::value::Value;

/// The parameters of a statement, in order: `()`, a tuple such as `("Ada", 36)`, an array such as `["Ada"]`, or a
/// `Vec<Value>` where their number is known only at run time.
///
/// A parameter is never part of the SQL, so nothing in it can be taken for SQL. How a statement marks the places of its
/// parameters is the database's: `?1`, `?2` with SQLite, `$1`, `$2` with PostgreSQL.
pub trait Params {
    /// The values, in order.
    fn into_values(self) -> Vec<Value>;
}

impl Params for () {
    fn into_values(self) -> Vec<Value> {
        Vec::new()
    }
}

impl<T: Into<Value>> Params for Vec<T> {
    fn into_values(self) -> Vec<Value> {
        self.into_iter().map(Into::into).collect()
    }
}

impl<T: Into<Value>, const N: usize> Params for [T; N] {
    fn into_values(self) -> Vec<Value> {
        self.into_iter().map(Into::into).collect()
    }
}

macro_rules! params_of_tuples {
    ($first:ident $($rest:ident)*) => {
        impl<$first: Into<Value>, $($rest: Into<Value>),*> Params for ($first, $($rest,)*) {
            #[expect(non_snake_case, reason = "each value is named after its type")]
            fn into_values(self) -> Vec<Value> {
                let ($first, $($rest,)*) = self;
                vec![$first.into(), $($rest.into()),*]
            }
        }
        params_of_tuples!($($rest)*);
    };
    () => {};
}

params_of_tuples!(A B C D E F G H I J K L);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_keep_their_order() {
        let (one, two) = (Value::Integer(1), Value::from("two"));
        assert_eq!((1, "two").into_values(), [one.clone(), two.clone()]);
        assert_eq!([1].into_values(), [one]);
        assert_eq!(vec![two.clone()].into_values(), [two]);
        assert!(().into_values().is_empty());
    }
}
