"""Constants of the wallet's contract."""

from __future__ import annotations

PARTNER = "alipay"
APP_ID = "2021009900330399"
POOL = "2088000000000000"  # the payout account of the licensed holder
POOL_NAME = "瓯栖县司法局调解款专户"
PRODUCT, SCENE = "TRANS_ACCOUNT_NO_PWD", "DIRECT_TRANSFER"

TRANSFER = "alipay.fund.trans.uni.transfer"
QUERY = "alipay.fund.trans.common.query"
BILL = "alipay.data.dataservice.bill.downloadurl.query"
METHODS = {"transfer": TRANSFER, "query": QUERY, "bill": BILL}
CHANGED = "alipay.fund.trans.order.changed"

MIN_FEN = 10  # 0.10 yuan
CALLS_PER_S = 10
LINK_LIVES_S = 30
BILL_FROM_HOUR = 10  # Beijing time of the next day
REDELIVER_MINUTES = (4, 10, 10, 60, 120, 360, 900)

MESSAGES = {
    "SYSTEM_ERROR": "系统繁忙",
    "isp.unknow-error": "系统繁忙",
    "aop.ACQ.SYSTEM_ERROR": "系统繁忙",
    "PAYER_BALANCE_NOT_ENOUGH": "余额不足",
    "PAYEE_NOT_EXIST": "收款账号不存在",
    "PAYEE_USER_INFO_ERROR": "收款人姓名与账号不符",
    "EXCEED_LIMIT_SM_AMOUNT": "单笔额度超限",
    "ORDER_NOT_EXIST": "转账订单不存在",
    "INVALID_PARAMETER": "参数有误",
    "PAYMENT_INFO_INCONSISTENCY": "两次请求商户单号一样，但是参数不一致",
    "isp.bill_not_exist": "账单不存在",
}
