//! How does a future borrow for as long as it lives what is to be there again when it is dropped?

use std::cell::RefCell;
use std::rc::Rc;

/// Where something is when nobody has borrowed it.
pub(super) type Home<T> = Rc<RefCell<Option<T>>>;

/// Something borrowed: it goes home with the drop of this.
pub(super) struct Lent<T> {
    pub(super) value: Option<T>,
    home: Home<T>,
}

impl<T> Lent<T> {
    /// `None`: it is not at home.
    pub(super) fn of(home: &Home<T>) -> Option<Lent<T>> {
        let value = home.take();
        value.is_some().then(|| Lent { value, home: home.clone() })
    }

    pub(super) fn get(&mut self) -> &mut T {
        self.value.as_mut().expect("it was borrowed")
    }
}

impl<T> Drop for Lent<T> {
    fn drop(&mut self) {
        *self.home.borrow_mut() = self.value.take();
    }
}

pub(super) fn home<T>(value: T) -> Home<T> {
    Rc::new(RefCell::new(Some(value)))
}
