//! Positions in the lists of the inventory.

macro_rules! index {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u32);

        impl $name {
            pub(crate) fn new(position: usize) -> Self {
                Self(u32::try_from(position).expect("an inventory has far fewer than 2^32 entries"))
            }

            /// The position in its list.
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

index! {
    /// A group of the inventory; positions follow the ids' order.
    GroupIx
}
index! {
    /// An interface of the inventory; positions follow the ids' order.
    InterfaceIx
}
