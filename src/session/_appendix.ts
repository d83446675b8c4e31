/** For tests: the session of PROTOCOL.md's test vectors, with the public key that its signature is checked with. */

export const SESSION_ID = "6f2b7f5e-3c1d-4d0e-9a51-0c6a8f0b7d11";
export const CLIENT_NONCE = "2024-10-24T13:10:04.123456";
export const RVD_NONCE = "2024-10-24T12:10:05.654321";
export const PUBLIC_KEY =
  "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAiQJDFMYa15+lDGaOIWGz+vhHb53LNmzs7e5JD304psqYJujtwyhmlAt6+7Eef/QLS1IEqN128G9zxOn5V37pWu9ta0Z96PeAWumGcoy2nEn6sXIWxg8j/B9NNU1dDp0SoN1z/oMzZuckla1u89Sfg+gFK6DbYq4V3RkSguLznWMky9Hh8oZImzrE2EZdhERlcJf25rEEam3+Lc0zNsF5MimVR/eCCugZzeBhjE1keFYGFxLI3bzXTsARKAeIb50SdvsLH8t1nO8wjbRX4y+RcTxUPW5VbthiskNFbjtZoMfu321qut3w69HPxdg6qm9M5+OpxXmfT8Sz+IWhg1eqJwIDAQAB";
/** The auth line of that session, without its LF. */
export const AUTH_LINE =
  '{"payload":{"sessionId":"6f2b7f5e-3c1d-4d0e-9a51-0c6a8f0b7d11","clientNonce":"2024-10-24T13:10:04.123456","rvdNonce":"2024-10-24T12:10:05.654321"},"signature":"EIPtQQ3m4LOHWrd3crhLP+qvwPJdd7zZV+aYhEyLIFZ+9lQIuPmU6mVWWFe7GAaj5diljgGMp4A8YR0BMkhIBuzpEz//9S+X+i6zKg7H6m9uh0cikwHB0f4DeJHoU1ETdKKpaZuM5KbaDG15e82y2rrDxBtU31KHP+tnqKkzUkjDofgo8UKumpTwwFuZ8pt3FfzKuXP099ezr9tdHtdanCKDkyhROG4eMUW2ENUGAWCNMAVI5nsziUrQSpCRxtalD+k0gsSd5wH5oSiTMSdWfOzhCdnsJaDQh7RcZD/Kco41RGQhuP+vsaxisFuCbpnE9RLMAEJW5wSBJWOxwhEf9A==","hashingAlgo":"sha256","signingAlgo":"rsa2048"}';
