//! Whom to believe: TUF repositories, client and editor
