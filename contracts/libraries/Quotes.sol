// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {ITaskRegistry} from "../interfaces/ITaskRegistry.sol";
import {Order, Quote} from "../interfaces/Types.sol";
import {Market} from "./Market.sol";

/// @title A node's offers as EIP-712 (rule 8)
/// @notice Nonces are unordered and used once; an operator cancels one of them, or all below one.
library Quotes {
    bytes32 internal constant TYPEHASH = keccak256(
        "Quote(address node,address consumer,bytes32 orderHash,uint32 memberIndex,uint128 ratePerHour,uint32 startWindow,uint64 expiry,uint256 nonce,uint8 verification)"
    );

    /// @dev EIP-712 struct hash. Every field is a static word, so the struct's ABI encoding is its EIP-712 encoding.
    function structHash(Quote calldata quote) internal pure returns (bytes32) {
        return keccak256(abi.encode(TYPEHASH, quote));
    }

    /// @dev Uses a quote up, or reverts with what is wrong with it.
    function redeem(
        Market storage market,
        bytes32 domain,
        Order calldata order,
        bytes32 orderHash,
        address consumer,
        uint256 index,
        Quote calldata quote,
        bytes calldata signature
    ) internal {
        if (quote.memberIndex != index) revert ITaskRegistry.WrongMember(quote.memberIndex, index);
        if (quote.consumer != consumer) revert ITaskRegistry.QuoteForAnother(index, quote.consumer, consumer);
        if (quote.orderHash != orderHash) revert ITaskRegistry.WrongOrder(index, quote.orderHash, orderHash);
        if (quote.verification != order.verification) {
            revert ITaskRegistry.WrongVerification(index, quote.verification, order.verification);
        }
        if (quote.ratePerHour == 0 || quote.ratePerHour > order.ratePerHour) {
            revert ITaskRegistry.RateAboveCap(index, quote.ratePerHour, order.ratePerHour);
        }
        if (quote.startWindow == 0 || quote.startWindow > order.startWindow) {
            revert ITaskRegistry.StartWindowOutOfRange(quote.startWindow, order.startWindow);
        }
        _checkExpiry(quote, index, market.parameters.maxQuoteLife);
        address signer = ECDSA.recoverCalldata(MessageHashUtils.toTypedDataHash(domain, structHash(quote)), signature);
        if (signer != quote.node) revert ITaskRegistry.WrongQuoteSigner(index, signer, quote.node);
        if (!_spend(market, quote.node, quote.nonce)) revert ITaskRegistry.QuoteVoid(quote.node, quote.nonce);
    }

    /// @dev Marks a nonce as used; whether it was still good.
    function cancel(Market storage market, address node, uint256 nonce) internal {
        if (!_spend(market, node, nonce)) revert ITaskRegistry.QuoteVoid(node, nonce);
    }

    /// @dev Whether a quote with this nonce can still be redeemed.
    function isVoid(Market storage market, address node, uint256 nonce) internal view returns (bool) {
        return nonce < market.quotesVoidBelow[node]
            || market.spentQuotes[node][nonce >> 8] & (1 << (nonce & 0xff)) != 0;
    }

    function _spend(Market storage market, address node, uint256 nonce) private returns (bool) {
        if (isVoid(market, node, nonce)) return false;
        market.spentQuotes[node][nonce >> 8] |= 1 << (nonce & 0xff);
        return true;
    }

    function _checkExpiry(Quote calldata quote, uint256 index, uint32 maxQuoteLife) private view {
        uint64 timestamp = uint64(block.timestamp);
        if (quote.expiry < timestamp) revert ITaskRegistry.QuoteExpired(index, quote.expiry, timestamp);
        uint64 latest = timestamp + maxQuoteLife;
        if (quote.expiry > latest) revert ITaskRegistry.QuoteTooLong(index, quote.expiry, latest);
    }
}
