//! The kinds of personal data that are recognised, their names in rule files and how much of a
//! value of each may be shown.

use crate::fingerprint::Mask;

/// One kind per line: its name here, its name in rule files, its mask.
macro_rules! kinds {
    ($($kind:ident $name:literal $mask:ident,)*) => {
        /// A kind of personal data.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub(crate) enum Kind {
            $($kind,)*
        }

        impl Kind {
            /// Every kind.
            pub(crate) const ALL: &[Self] = &[$(Self::$kind,)*];

            /// Its name in rule files.
            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }

            /// How much of a value may be shown.
            pub(crate) const fn mask(self) -> Mask {
                match self {
                    $(Self::$kind => Mask::$mask,)*
                }
            }
        }
    };
}

kinds! {
    AeEmiratesId "ae-emirates-id" LastTwo,
    ArCuit "ar-cuit" LastTwo,
    AtSocialSecurity "at-social-security-number" LastTwo,
    AuAbn "au-abn" LastTwo,
    AuMedicare "au-medicare" LastTwo,
    AuTfn "au-tfn" LastTwo,
    BalticPersonalCode "baltic-personal-code" LastTwo,
    BeNationalNumber "be-national-number" LastTwo,
    BgEgn "bg-egn" LastTwo,
    Bic "bic" Token,
    Bitcoin "bitcoin-address" Token,
    BitcoinKey "bitcoin-private-key" Nothing,
    BrCnpj "br-cnpj" LastTwo,
    BrCpf "br-cpf" LastTwo,
    CaSin "ca-sin" LastTwo,
    Cardano "cardano-address" Token,
    ChAhv "ch-ahv" LastTwo,
    ClRut "cl-rut" LastTwo,
    CnResidentId "cn-resident-id" LastTwo,
    CzBirthNumber "cz-sk-birth-number" LastTwo,
    DeIdCard "de-id-card" LastTwo,
    DePension "de-pension-number" LastTwo,
    DeTaxId "de-tax-id" LastTwo,
    DkCpr "dk-cpr" LastTwo,
    Dogecoin "dogecoin-address" Token,
    EmailList "email-list" Nothing,
    EsCif "es-cif" LastTwo,
    EsNie "es-nie" LastTwo,
    EsNif "es-nif" LastTwo,
    Ethereum "ethereum-address" Token,
    EuVat "eu-vat-number" LastTwo,
    FiHetu "fi-hetu" LastTwo,
    FrNir "fr-nir" LastTwo,
    FrSiren "fr-siren" LastTwo,
    GrAmka "gr-amka" LastTwo,
    HkId "hk-identity-card" LastTwo,
    HrOib "hr-oib" LastTwo,
    HuTaj "hu-taj" LastTwo,
    Iban "iban" LastTwo,
    IdNik "id-nik" LastTwo,
    IePps "ie-pps" LastTwo,
    IlTeudatZehut "il-teudat-zehut" LastTwo,
    InAadhaar "in-aadhaar" LastTwo,
    InGstin "in-gstin" LastTwo,
    InPan "in-pan" LastTwo,
    InVoterId "in-voter-id" LastTwo,
    IsKennitala "is-kennitala" LastTwo,
    ItCodiceFiscale "it-codice-fiscale" LastTwo,
    ItPartitaIva "it-partita-iva" LastTwo,
    JpMyNumber "jp-my-number" LastTwo,
    KrRrn "kr-rrn" LastTwo,
    Litecoin "litecoin-address" Token,
    LvPersonalCode "lv-personal-code" LastTwo,
    Monero "monero-address" Token,
    MxCurp "mx-curp" LastTwo,
    MxRfc "mx-rfc" LastTwo,
    MyMykad "my-mykad" LastTwo,
    NgNin "ng-nin" LastTwo,
    NlBsn "nl-bsn" LastTwo,
    NoFodselsnummer "no-fodselsnummer" LastTwo,
    NzIrd "nz-ird" LastTwo,
    NzNhi "nz-nhi" LastTwo,
    PassportMrz "passport-mrz" Nothing,
    PaymentCard "payment-card" LastFour,
    PhoneList "phone-list" Nothing,
    PlNip "pl-nip" LastTwo,
    PlPesel "pl-pesel" LastTwo,
    PtNif "pt-nif" LastTwo,
    Ripple "xrp-address" Token,
    RoCnp "ro-cnp" LastTwo,
    SeedPhrase "seed-phrase" Nothing,
    SePersonnummer "se-personnummer" LastTwo,
    SgNric "sg-nric" LastTwo,
    Solana "solana-address" Token,
    ThNationalId "th-national-id" LastTwo,
    TrTckn "tr-tckn" LastTwo,
    Tron "tron-address" Token,
    TwNationalId "tw-national-id" LastTwo,
    UkBankAccount "uk-bank-account" LastTwo,
    UkNhs "uk-nhs-number" LastTwo,
    UkNino "uk-nino" LastTwo,
    UkUtr "uk-utr" LastTwo,
    UsDea "us-dea-number" LastTwo,
    UsDriverLicence "us-driver-licence" LastTwo,
    UsEin "us-ein" LastTwo,
    UsItin "us-itin" LastTwo,
    UsMbi "us-mbi" LastTwo,
    UsNpi "us-npi" LastTwo,
    UsPassport "us-passport" LastTwo,
    UsRouting "us-routing-number" LastTwo,
    UsSsn "us-ssn" LastTwo,
    Vin "vin" LastFour,
    ZaId "za-id" LastTwo,
}

// === impl Kind ===

impl Kind {
    /// The kind of a name in a rule file.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// Its place in a set of kinds.
    pub(super) const fn bit(self) -> u128 {
        1 << (self as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_bit_and_a_name_of_its_own() {
        assert!(Kind::ALL.len() <= 128);
        for kind in Kind::ALL {
            assert_eq!(Kind::named(kind.name()), Some(*kind));
        }
    }
}
